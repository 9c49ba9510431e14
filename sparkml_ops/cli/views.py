"""`sparkml-ops views`: the SQL of views by role and version."""

from typing import Annotated, Literal

import typer

from sparkml_ops.cli.options import Json, UseCaseName, open_both
from sparkml_ops.cli.output import print_result
from sparkml_ops.errors import ConfigError


def views(
    context: typer.Context,
    use_case: UseCaseName,
    *,
    engine: Annotated[Literal["spark", "duckdb"], typer.Option("--for", help="Whose SQL it is to be.")] = "spark",
    as_json: Json = False,
) -> int:
    """Print the SQL that makes views of the predictions: what is published, each role, each model version.

    Examples:
        sparkml-ops views flights > views.sql

        sparkml-ops views flights --for duckdb | duckdb predictions.duckdb
    """
    _, lake = open_both(use_case, context.obj)
    from sparkml_ops.delivery.views import list_views, write_views

    if engine == "duckdb" and lake.database is not None:
        raise ConfigError(
            f"--for duckdb: the tables of {lake.use_case} are in the catalog's schema {lake.database}, whose folders only the catalog knows"
        )
    statements = write_views(lake, list_views(lake), engine=engine)
    first = ["INSTALL delta;", "LOAD delta;"] if engine == "duckdb" else []
    return print_result(
        statements, as_json=as_json, lines=lambda: [*first, *(f"{statement};" for statement in statements)]
    )
