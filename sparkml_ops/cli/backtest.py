"""`sparkml-ops backtest`: how good would the model have been, had it been trained at earlier moments?"""

from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from sparkml_ops.cli.options import Json, ModelName, RunId, open_both, split_model
from sparkml_ops.cli.output import format_table, print_result

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkml_ops.training import BacktestResult, WindowResult

_MODELS = ("candidate", "linear", "trivial", "first")


class Kind(StrEnum):
    """What each model is fitted on."""

    EXPANDING = "expanding"
    ROLLING = "rolling"


def backtest(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    model: ModelName,
    windows: Annotated[int, typer.Option(help="How many windows are judged; the last ends with the newest row.")] = 4,
    every: Annotated[
        str | None, typer.Option(help="Length of a window, such as 7d; by default half of all time in equal parts.")
    ] = None,
    window: Annotated[
        Kind, typer.Option(help="Fitted on all rows before (expanding), or on those of the last --length (rolling).")
    ] = Kind.EXPANDING,
    length: Annotated[str | None, typer.Option(help="What a rolling window is fitted on, such as 90d.")] = None,
    *,
    run_id: RunId = None,
    as_json: Json = False,
) -> int:
    """Fit a version's parameters on the rows before each of some windows of time, and judge them on the window; exit 1 when none can be judged.

    Nothing is searched and nothing registered. Figures are in `metrics`, scope `backtest`.

    Examples:
        sparkml-ops backtest flights

        sparkml-ops backtest flights@champion --windows 8 --every 7d --window rolling --length 60d
    """
    asked = split_model(model)
    from sparkml_ops.training import BacktestPlan, check_plan
    from sparkml_ops.training import backtest as go_through

    plan = BacktestPlan(windows, _read_duration("--every", every), window.value, _read_duration("--length", length))
    check_plan(plan)
    loaded, lake = open_both(asked.name, context.obj)
    result = go_through(loaded, lake, version=asked.version, alias=asked.alias, plan=plan, run_id=run_id)
    is_judged = any(one.status == "judged" for one in result.windows)
    return print_result(result, as_json=as_json, lines=lambda: _describe(result), exit_code=int(not is_judged))


def _read_duration(option: str, text: str | None) -> timedelta | None:
    from sparkml_ops.config.types import parse_duration

    if text is None:
        return None
    try:
        found = parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option}: expected {error}, found {text!r}") from error
    assert isinstance(found, timedelta)  # what a text is parsed to
    return found


def _describe(result: "BacktestResult") -> list[str]:
    models = [model for model in _MODELS if model in result.summary]
    rows = [_show_window(one, result.metric, models) for one in result.windows]
    spreads = [
        (model, one.windows, one.mean, one.deviation, one.lowest, one.highest) for model, one in result.summary.items()
    ]
    reasons = [f"window {one.window.number} was {one.status}: {one.reason}" for one in result.windows if one.reason]
    return [
        f"{result.model_name} version {result.model_version} on {result.training_set}: {result.metric} of {len(rows)} windows, {result.seconds:.0f} s",
        *format_table(("judged from", "until", "fitted on", "judged on", *models), rows),
        *reasons,
        "",
        *format_table(("model", "windows", "mean", "deviation", "lowest", "highest"), spreads),
        "",
        result.ageing,
        *(f"note: {note}" for note in result.notes),
    ]


def _show_window(one: "WindowResult", metric: str, models: list[str]) -> tuple[object, ...]:
    at = one.window
    fitted = one.rows["train"] + one.rows["valid"]
    shown = [_show_figure(one.figures.get(model, {}).get(metric)) for model in models]
    return (f"{at.origin:%Y-%m-%d %H:%M}", f"{at.until:%Y-%m-%d %H:%M}", fitted, one.rows["test"], *shown)


def _show_figure(figure: "Mapping[str, float | None] | None") -> str:
    value, lower, upper = ((figure or {}).get(part) for part in ("value", "lower", "upper"))
    if value is None:
        return "-"
    return f"{value:.4f}" if lower is None or upper is None else f"{value:.4f} [{lower:.4f}, {upper:.4f}]"
