"""Views of predictions by role and by model version, as the SQL that makes them in Spark or in DuckDB.

They stand in a schema of their own, so that a schema of tables has tables alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sparkml_ops.delivery.published import BATCHES, CURRENT
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake import Lake, quote_identifier, read_table, table_exists
from sparkml_ops.lake.location import quote_text, sql_name, table_path

Engine = Literal["spark", "duckdb"]
PREDICTIONS = "predictions"


@dataclass(frozen=True)
class View:
    """A view.

    Attributes:
        name: its name, without the schema.
        table: the table that it reads.
        where: which rows; all when it is empty.
        comment: what a row is.
    """

    name: str
    table: str
    where: str
    comment: str


def list_views(lake: Lake) -> list[View]:
    """Views of what is published, of each role, and of each model version that has scored.

    Raises:
        TableNotFoundError: nothing was scored yet.
    """
    if not table_exists(lake, BATCHES):
        raise TableNotFoundError(
            f"{lake.use_case}: nothing was scored yet, so there is nothing to look at. `sparkml-ops score {lake.use_case}` scores a batch."
        )
    rows = read_table(lake, BATCHES).select("role", "model_version").distinct().collect()
    roles, versions = sorted({row["role"] for row in rows}), sorted({row["model_version"] for row in rows})
    return [
        View(CURRENT, CURRENT, "", "The champion's published prediction, one row per decision"),
        *(
            View(f"{PREDICTIONS}_{role}", PREDICTIONS, f"role = '{role}'", f"Every prediction in the role {role}")
            for role in roles
        ),
        *(
            View(
                f"{PREDICTIONS}_v{version}",
                PREDICTIONS,
                f"model_version = {version}",
                f"Every prediction of version {version}",
            )
            for version in versions
        ),
    ]


def write_views(lake: Lake, views: Sequence[View], *, engine: Engine) -> list[str]:
    """The statements that make them, and make them anew; each ends without a semicolon."""
    schema = _name_schema(lake, engine)
    return [
        f"CREATE SCHEMA IF NOT EXISTS {schema}",
        *(_write_view(lake, view, schema, engine) for view in views),
    ]


def _name_schema(lake: Lake, engine: Engine) -> str:
    if engine == "duckdb":
        return _quote_standard(lake.use_case)
    if lake.database is None:
        return quote_identifier(lake.use_case)
    return f"{lake.database[:-1]}_views`"  # beside the schema of the tables, whose name is quoted


def _write_view(lake: Lake, view: View, schema: str, engine: Engine) -> str:
    where = f" WHERE {view.where}" if view.where else ""
    if engine == "duckdb":
        place = table_path(lake, view.table).replace("'", "''")
        return f"CREATE OR REPLACE VIEW {schema}.{_quote_standard(view.name)} AS SELECT * FROM delta_scan('{place}'){where}"  # noqa: S608  # quoted
    named, table = f"{schema}.{quote_identifier(view.name)}", sql_name(lake, view.table)
    return f"CREATE OR REPLACE VIEW {named} COMMENT {quote_text(view.comment)} AS SELECT * FROM {table}{where}"  # noqa: S608  # as above


def _quote_standard(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
