"""The tables as they are now, and the story of one: read from the logs of the tables, the ledger and the configuration."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sparkml_ops.catalog.freshness import Freshness, read_freshness
from sparkml_ops.catalog.ledger import Used, read_models, read_uses, read_verdict
from sparkml_ops.catalog.lineage import follow_downstream, list_step_tables, name_in_lineage
from sparkml_ops.catalog.meanings import find_kind, find_meaning, find_owner
from sparkml_ops.catalog.rules import list_rules
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake import Lake, list_tables, read_table, table_version
from sparkml_ops.lake.location import resolve_table_name
from sparkml_ops.lake.upkeep import describe_detail

if TYPE_CHECKING:
    from sparkml_ops.catalog.ledger import ContractVerdict, ModelUse
    from sparkml_ops.config.use_case import UseCase

_AT_A_TIME = 4  # each look at a table waits for its log more than it works


@dataclass(frozen=True)
class CatalogEntry:
    """One table.

    Attributes:
        table: its name.
        kind: clean, quarantine, features, training set, predictions, ledger or other.
        comment: what one row is.
        owner: who answers for it.
        version: its newest version.
        rows: rows of that version.
        files: files of that version.
        bytes: their size.
        changed_at: when a commit was made last; UTC.
        changed_by: the step that wrote it last, by the ledger.
        freshness: how old its newest row is, against what is declared; None where nothing is.
        written_by: steps that write it.
        read_by: steps that read it.
        reaches: steps that a change of it reaches, in order.
    """

    table: str
    kind: str
    comment: str
    owner: str
    version: int
    rows: int
    files: int
    bytes: int
    changed_at: datetime
    changed_by: str | None
    freshness: Freshness | None
    written_by: tuple[str, ...]
    read_by: tuple[str, ...]
    reaches: tuple[str, ...]


@dataclass(frozen=True)
class CatalogColumn:
    """One column: Spark's name of its type, and the rules of the contract that it keeps."""

    name: str
    type: str
    nullable: bool
    comment: str | None
    rules: tuple[str, ...]


@dataclass(frozen=True)
class TableStory:
    """All about one table.

    Attributes:
        entry: its line in the catalog.
        columns: its columns.
        row_rules: rules of the contract over whole rows.
        verdict: what the contract said about the last batch; None where there is no contract.
        downstream: the steps that a change of the table reaches, each with the tables that it writes.
        models: model versions that were trained on it, newest first.
        publishes: whether published predictions come from one of these models.
    """

    entry: CatalogEntry
    columns: tuple[CatalogColumn, ...]
    row_rules: tuple[str, ...]
    verdict: "ContractVerdict | None"
    downstream: dict[str, tuple[str, ...]]
    models: "tuple[ModelUse, ...]"
    publishes: bool


def read_catalog(use_case: "UseCase", lake: Lake, *, tables: Sequence[str] | None = None) -> tuple[CatalogEntry, ...]:
    """Every table, or some of them. Sizes come from the tables' logs: no row is read but for a declared freshness.

    Args:
        use_case: says what the tables mean.
        lake: where they are.
        tables: names of tables; all by default.
    """
    names = list_tables(lake) if tables is None else list(tables)
    uses = read_uses(lake)
    with ThreadPoolExecutor(_AT_A_TIME, thread_name_prefix="catalog") as workers:
        return tuple(workers.map(lambda name: _read_entry(use_case, lake, name, uses), names))


def read_story(use_case: "UseCase", lake: Lake, name: str) -> TableStory:
    """All about one table.

    Args:
        use_case: says what the tables mean.
        lake: where they are.
        name: a table, or a source for its clean table.

    Raises:
        TableNotFoundError: there is no such table.
    """
    table = resolve_table_name(lake, name)
    there = list_tables(lake)
    if table not in there:
        nearest = get_close_matches(table, there, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise TableNotFoundError(
            f"{lake.use_case} has no table {table}.{hint} `sparkml-ops catalog {lake.use_case}` lists them."
        )
    source = use_case.sources.get(table.removeprefix("clean_")) if table.startswith("clean_") else None
    meaning = find_meaning(use_case, table)
    told = meaning.columns if meaning else {}
    columns = tuple(
        CatalogColumn(
            column.name,
            column.dataType.simpleString(),
            column.nullable,
            column.metadata.get("comment") or told.get(column.name),
            list_rules(source, column.name) if source else (),
        )
        for column in read_table(lake, table).schema
    )
    models, publishes = read_models(lake, table)
    return TableStory(
        entry=read_catalog(use_case, lake, tables=[table])[0],
        columns=columns,
        row_rules=tuple(each.rule for each in source.expect) if source else (),
        verdict=read_verdict(lake, table.removeprefix("clean_")) if source else None,
        downstream=follow_downstream(table, list_step_tables(use_case)),
        models=models,
        publishes=publishes,
    )


def _read_entry(use_case: "UseCase", lake: Lake, table: str, uses: Sequence[Used]) -> CatalogEntry:
    detail = describe_detail(lake, table)
    meaning = find_meaning(use_case, table)
    mine = [use for use in uses if use.table == table]
    wrote = [use for use in mine if use.is_written]
    return CatalogEntry(
        table=table,
        kind=find_kind(table),
        comment=detail.description or (meaning.comment if meaning else ""),
        owner=find_owner(use_case, table),
        version=table_version(lake, table),
        rows=read_table(lake, table).count(),
        files=detail.files,
        bytes=detail.bytes,
        changed_at=detail.changed_at,
        changed_by=max(wrote, key=lambda use: use.last_at).step if wrote else None,
        freshness=read_freshness(use_case, lake, table, now=datetime.now(UTC)),
        written_by=_list_steps(use_case, table, mine, is_written=True),
        read_by=_list_steps(use_case, table, mine, is_written=False),
        reaches=tuple(follow_downstream(table, list_step_tables(use_case))),
    )


def _list_steps(use_case: "UseCase", table: str, uses: Sequence[Used], *, is_written: bool) -> tuple[str, ...]:
    """Steps by the configuration, then those that only the ledger knows; upkeep changes no row, and writes nothing here."""
    name = name_in_lineage(table)
    declared = [step.step for step in list_step_tables(use_case) if name in (step.writes if is_written else step.reads)]
    seen = sorted(use.step for use in uses if use.is_written == is_written and use.step != "maintain")
    return tuple(dict.fromkeys([*declared, *seen]))
