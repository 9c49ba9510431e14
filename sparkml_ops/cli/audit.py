"""`sparkml-ops audit`: does a training set know what it could not have known?"""

from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, print_result, to_plain

if TYPE_CHECKING:
    from sparkml_ops.features import AuditResult


def audit(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    training_set: Annotated[
        str | None,
        typer.Option(help="A version, or a beginning of its name that no other has; the newest by default."),
    ] = None,
    rows: Annotated[
        int | None,
        typer.Option(min=1, max=10_000, help="Rows to compute again from history; `audit.rows` by default."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Which rows are drawn.")] = 0,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Look for leakage in a training set; exit 1 when something is found.

    Computes random rows again from the raw tables, and looks for copies of the label, telling gaps, identifiers, and rows that parts share.

    Examples:
        sparkml-ops audit flights

        sparkml-ops audit flights --training-set ts-3f --rows 1000 --seed 7
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import audit_training_set

    result = audit_training_set(loaded, lake, training_set=training_set, rows=rows, seed=seed, run_id=run_id)
    plain = {**to_plain(result), "findings": to_plain(result.findings)}
    for history in plain["history"]:
        del history["figures"]  # they are among the others
    return print_result(plain, as_json=as_json, lines=lambda: _describe(result), exit_code=int(bool(result.findings)))


def _describe(result: "AuditResult") -> list[str]:
    head = f"training set {result.training_set}: {result.rows} rows; figures of features of {result.sampled}"
    history = [
        (h.view, h.rows, h.rows_at_moment, h.rows_before_history, h.rows_passed_over + h.rows_unreadable, h.reason)
        for h in result.history
    ]
    again = format_table(("computed again", "rows", "as of moment", "before history", "not looked at", "why"), history)
    checks: dict[str, list[int]] = {}
    for figure in result.figures:
        counts = checks.setdefault(figure.check, [0, 0, 0, 0])
        counts[("alert", "accepted", "no_data", "ok").index(figure.verdict)] += 1
    table = format_table(
        ("check", "findings", "accepted", "no data", "ok"), [(n, *c) for n, c in sorted(checks.items())]
    )
    told = [
        f"{figure.verdict}  {figure.check}  {figure.subject}: {figure.message}"
        for figure in result.figures
        if figure.message
    ]
    return [head, "", *again, "", *table, *(["", *told] if told else []), "", _conclude(result)]


def _conclude(result: "AuditResult") -> str:
    number = len(result.findings)
    found = f"{number} finding{'s' * (number > 1)}" if number else "nothing found"
    looked = {figure.check for figure in result.figures if figure.verdict != "no_data"}
    blind = sorted({figure.check for figure in result.figures} - looked)
    return f"{found}; no data for {', '.join(blind)}, so nothing is known of it" if blind else found
