"""`sparkml-ops quarantine`: the rows that did not keep their contract, and what becomes of them."""

from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, print_result

if TYPE_CHECKING:
    from sparkml_ops.ingestion import QuarantineResult

app = typer.Typer(
    help="Rows that did not keep their contract: look at them, take them in after all, or put them aside.",
    no_args_is_help=True,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Source = Annotated[str, typer.Option("--source", help="Name of the source.")]
_WITHHELD = "(may hold personal data: --reveal shows it)"
_SHOWN_CHARACTERS = 120  # of a row's raw text; --json has all of it


@app.command("list")
def list_rows(
    context: typer.Context,
    use_case: UseCaseName,
    source: Annotated[list[str] | None, typer.Option("--source", help="Only this source; repeatable.")] = None,
    *,
    as_json: Json = False,
) -> int:
    """Count the rows by batch, reasons and status: open, replayed or discarded.

    Examples:
        sparkml-ops quarantine list flights
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.ingestion import find_source, read_quarantine, summarise_quarantine
    from sparkml_ops.lake import table_exists

    for name in source or ():
        find_source(loaded, name)
    names = [n for n in loaded.sources if (not source or n in source) and table_exists(lake, f"quarantine_{n}")]
    found = [
        {"source": name, **row.asDict()}
        for name in names
        for row in summarise_quarantine(read_quarantine(lake, name)).collect()
    ]
    columns = ("source", "rows", "status", "reasons", "why", "_batch_id", "since")
    rows = [[row[column] for column in columns] for row in found]
    return print_result(
        found,
        as_json=as_json,
        lines=lambda: format_table(columns, rows) if rows else ["No row is in quarantine."],
    )


@app.command()
def show(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    source: Source,
    batch: Annotated[str | None, typer.Option(help="Only rows of this batch.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Rows to show.")] = 20,
    *,
    decided: Annotated[bool, typer.Option("--decided", help="Also rows that were replayed or discarded.")] = False,
    reveal: Annotated[
        bool, typer.Option("--reveal", help="Show the text of rows that may hold personal data.")
    ] = False,
    as_json: Json = False,
) -> int:
    """Show rows as they came, with their file, line and all reasons.

    Where a column of the contract is personal data (`pii: true`) the text of the rows is withheld unless --reveal is given.

    Examples:
        sparkml-ops quarantine show flights --source weather --limit 5
    """
    loaded, lake = open_both(use_case, context.obj)
    from pyspark.sql import functions as F

    from sparkml_ops.ingestion import find_source, read_quarantine

    personal = find_source(loaded, source).personal_columns()
    kept = read_quarantine(lake, source)
    if personal and not reveal:
        kept = kept.withColumn("raw", F.lit(_WITHHELD))
    kept = kept if decided else kept.where("status = 'open'")
    kept = kept if batch is None else kept.where(F.col("_batch_id") == batch)
    found = [row.asDict() for row in kept.orderBy("_ingested_at", "_source_file", "line").limit(limit).collect()]
    columns = ("file", "line", "status", "reasons", "raw")
    rows = [(r["_source_file"], r["line"], r["status"], "; ".join(r["reasons"]), _shorten(r["raw"])) for r in found]
    return print_result(
        found, as_json=as_json, lines=lambda: format_table(columns, rows) if rows else ["No such row is in quarantine."]
    )


@app.command()
def replay(
    context: typer.Context, use_case: UseCaseName, source: Source, run_id: RunId = None, *, as_json: Json = False
) -> int:
    """Judge the open rows by the contract as it is now, and take in those that keep it.

    Rows that were taken in before keep the judgement of their day; `ingest --full` would judge all anew.

    Examples:
        sparkml-ops quarantine replay flights --source weather
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.ingestion import replay as take_in

    return _tell(take_in(loaded, lake, source, run_id=run_id), "replayed", as_json=as_json)


@app.command()
def discard(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    source: Source,
    reason: Annotated[str, typer.Option(help="Why; recorded in `quarantine_decisions`.")],
    batch: Annotated[str | None, typer.Option(help="Only rows of this batch.")] = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Put the open rows aside for good; they stay in the table, marked, with the reason and your name.

    Examples:
        sparkml-ops quarantine discard flights --source weather --reason "test rows of the vendor"
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.ingestion import discard as put_aside

    result = put_aside(loaded, lake, source, why=reason, batch=batch, run_id=run_id)
    return _tell(result, "discarded", as_json=as_json)


def _tell(result: "QuarantineResult", what: str, *, as_json: bool) -> int:
    line = (
        f"{result.source}: {result.rows_decided} of {result.rows_open} open rows {what}, {result.rows_left} left open"
    )
    return print_result(result, as_json=as_json, lines=lambda: [line])


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
