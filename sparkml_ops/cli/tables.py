"""The verbs about the tables themselves: how they are kept, and what they are."""

from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, format_value, print_result

if TYPE_CHECKING:
    from sparkml_ops.catalog import ContractVerdict, Freshness, TableStory
    from sparkml_ops.upkeep import MaintainResult


def maintain(  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    table: Annotated[list[str] | None, typer.Option("--table", help="Only this table; repeatable.")] = None,
    run_id: RunId = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")] = False,
    as_json: Json = False,
) -> int:
    """Pack small files, cluster, and clear away files that nobody needs; says which old versions it keeps and why.

    Rows never change. Kept are all versions of the last days (`maintenance.keep`), and older ones that a training set, a
    promoted model or a batch that can be rolled back needs.

    Examples:
        sparkml-ops maintain flights --dry-run

        sparkml-ops maintain flights

        sparkml-ops maintain flights --table predictions --table weather
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.upkeep import maintain as put_in_order

    result = put_in_order(loaded, lake, tables=table or None, dry_run=dry_run, run_id=run_id)
    return print_result(result, as_json=as_json, lines=lambda: describe_upkeep(result))


def describe_upkeep(result: "MaintainResult") -> list[str]:
    """An upkeep for people: what was done, then what stays readable and why."""
    from sparkml_ops.reporting.formats import format_bytes

    lost = [
        f"{t.table}: v{version} is needed, and its log is gone. Nothing is vacuumed until it is released"
        for t in result.tables
        for version in t.lost
    ]
    if not result.has_changes:
        return ["No changes.", *lost]
    columns = ("table", "actions", "files", "after", "size", "after", "vacuumed", "size", "orphans")
    rows = [
        (
            *(t.table, " ".join(t.actions), t.files_before, t.files_after),
            *(
                format_bytes(t.bytes_before),
                format_bytes(t.bytes_after),
                t.files_vacuumed,
                format_bytes(t.bytes_vacuumed),
            ),
            t.orphans,
        )
        for t in result.tables
        if t.actions
    ]
    kept = [
        f"{t.table}: kept from v{t.kept[0].version} on: {'; '.join(t.kept[0].reasons)}"
        for t in result.tables
        if t.actions
    ]
    released = [f"training set {version} is released: {why}" for version, why in result.released.items()]
    end = ["Dry run: nothing was written."] if result.dry_run else [f"run {result.run_id}"]
    return [*format_table(columns, rows), *kept, *released, *lost, *end]


def catalog(
    context: typer.Context,
    use_case: UseCaseName,
    table: Annotated[str | None, typer.Argument(help="A table, or a source for its clean table: all about it.")] = None,
    *,
    as_json: Json = False,
) -> int:
    """List the tables; or tell all about one: what it means, who writes and reads it, what breaks if it changes.

    Examples:
        sparkml-ops catalog flights

        sparkml-ops catalog flights clean_weather

        sparkml-ops catalog flights predictions_current --json
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.catalog import read_catalog, read_story
    from sparkml_ops.reporting.formats import format_bytes

    if table is not None:
        story = read_story(loaded, lake, table)
        return print_result(story, as_json=as_json, lines=lambda: describe_story(story))
    entries = read_catalog(loaded, lake)
    columns = ("table", "kind", "rows", "size", "files", "version", "changed", "by", "freshness", "owner")
    rows = [
        (
            *(e.table, e.kind, e.rows, format_bytes(e.bytes), e.files, e.version, e.changed_at, e.changed_by),
            *(_tell_freshness(e.freshness), e.owner),
        )
        for e in entries
    ]
    return print_result(
        entries, as_json=as_json, lines=lambda: format_table(columns, rows) if rows else ["No table yet."]
    )


def describe_story(story: "TableStory") -> list[str]:
    """All about a table, for people."""
    from sparkml_ops.reporting.formats import format_bytes, format_number_of

    e = story.entry
    size = f"{format_number_of(e.rows, 'row')} · {format_bytes(e.bytes)} in {format_number_of(e.files, 'file')}"
    owner, fresh = e.owner or "nobody is named", _tell_freshness(e.freshness) or "nothing is declared"
    head = [
        f"{e.table}: {e.comment}",
        f"owner: {owner} · {e.kind} · version {e.version} · {size}",
        f"changed: {format_value(e.changed_at)} by {e.changed_by or 'no step on record'} · freshness: {fresh}",
        f"written by: {', '.join(e.written_by) or 'no step'}",
        f"read by: {', '.join(e.read_by) or 'no step'}",
    ]
    columns = [(c.name, c.type, "yes" if c.nullable else "no", "; ".join(c.rules), c.comment) for c in story.columns]
    rules = ["", "Rules over whole rows:", *(f"  {rule}" for rule in story.row_rules)] if story.row_rules else []
    told = "Contract (as ODCS: `sparkml-ops contract export`)"
    contract = ["", f"{told}: {_tell_verdict(story.verdict)}"] if story.verdict else []
    reached = [f"  {step} → {', '.join(tables)}" for step, tables in story.downstream.items()]
    models = [
        f"  model version {m.version}{' (champion)' if m.is_champion else ''}, by training set {m.training_set}"
        for m in story.models
    ]
    published = ["  published predictions come from it"] if story.publishes else []
    breaks = [*reached, *models, *published] or ["  nothing that is known here"]
    table = format_table(("column", "type", "nullable", "contract", "comment"), columns)
    return [*head, "", *table, *rules, *contract, "", "What breaks if it changes:", *breaks]


def _tell_verdict(verdict: "ContractVerdict") -> str:
    batch = f"the last batch {verdict.batch_id or ''} {verdict.status} at {format_value(verdict.ended_at)}"
    if verdict.error:
        return f"{batch}: {verdict.error.splitlines()[0]}"
    return f"{batch}: {verdict.rows_bad or 0} of {verdict.rows_in or 0} rows broke a rule"


def _tell_freshness(freshness: "Freshness | None") -> str | None:
    from sparkml_ops.reporting.formats import format_age

    if freshness is None:
        return None
    age = "no row" if freshness.age_seconds is None else format_age(freshness.age_seconds)
    return f"{age} ({'within' if freshness.is_kept else 'PAST'} {format_age(freshness.within_seconds)})"
