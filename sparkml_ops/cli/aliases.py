"""The verbs about who serves and who is scored beside: the history of champions, and the shadow."""

from datetime import date
from typing import Annotated

import typer

from sparkml_ops.cli.options import Json, RunId, UseCaseName, open_both, read_instant
from sparkml_ops.cli.output import format_table, print_result
from sparkml_ops.errors import ConfigError


def champions(
    context: typer.Context,
    use_case: UseCaseName,
    on: Annotated[
        str | None,
        typer.Option(help="Only those of this day, or the one at this instant: ISO 8601; UTC if it has no zone."),
    ] = None,
    *,
    as_json: Json = False,
) -> int:
    """Tell which version was champion when, by whom and why, newest first; from the table `promotions` alone.

    Examples:
        sparkml-ops champions flights

        sparkml-ops champions flights --on 2026-11-30

        sparkml-ops champions flights --on 2026-11-30T08:00+01:00
    """
    at = None if on is None else read_instant(on)
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.promotion import list_champions

    found = list_champions(loaded, lake, on=at, is_day=on is not None and _is_day(on))
    columns = ("version", "since", "until", "decision", "from_version", "decided_by", "reason")
    rows = [tuple(getattr(one, column) for column in columns) for one in found]
    never = f"no version was ever champion; `sparkml-ops promote {use_case}` makes one"
    none = [never if on is None else f"no version was champion on {on}"]
    return print_result(found, as_json=as_json, lines=lambda: format_table(columns, rows) if rows else none)


def _is_day(text: str) -> bool:
    """Whether a text is a date without a time."""
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def shadow(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    reason: Annotated[str, typer.Option(help="Why; recorded in `promotions`.")],
    version: Annotated[int | None, typer.Option(help="The version to score beside the champion.")] = None,
    run_id: RunId = None,
    *,
    clear: Annotated[bool, typer.Option("--clear", help="No version is the shadow any more.")] = False,
    as_json: Json = False,
) -> int:
    """Have a version scored beside the champion, whatever the gates say of it; its predictions are never published.

    Batches are scored by it where `scoring.roles` has `shadow: shadow`.

    Examples:
        sparkml-ops shadow flights --version 3 --reason "how would the simple one do?"

        sparkml-ops shadow flights --clear --reason "seen enough"
    """
    if clear == (version is not None):
        raise ConfigError("expected one of --version N, which makes it the shadow, and --clear, which makes none")
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.promotion import set_shadow

    result = set_shadow(loaded, lake, version=version, reason=reason, run_id=run_id)
    told = "no version" if result.shadow is None else f"version {result.shadow}"
    undo, is_idle = result.tell_undo(use_case), result.shadow is not None and not result.is_scored
    lines = [f"shadow: {told} ({result.decision})", *([f"undo: {undo}"] if undo else [])]
    lines += ["scoring.roles has no `shadow: shadow`: no batch is scored by it yet"] if is_idle else []
    return print_result(result, as_json=as_json, lines=lambda: lines)
