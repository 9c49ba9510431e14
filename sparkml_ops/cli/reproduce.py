"""`sparkml-ops reproduce`: does the same training give the same model?"""

from typing import TYPE_CHECKING

import typer

from sparkml_ops.cli.options import Json, ModelName, RunId, open_both, split_model
from sparkml_ops.cli.output import format_table, format_value, print_result, to_plain

if TYPE_CHECKING:
    from sparkml_ops.training import ReproduceResult

_MOST_CHANGES = 10


def reproduce(context: typer.Context, model: ModelName, run_id: RunId = None, *, as_json: Json = False) -> int:
    """Train a registered version again from its inputs and its recipe, without a search; exit 1 when another model comes out.

    Rows, settings, parameters, rounds and seed are those that were recorded, whatever tables and YAML hold today. Predictions
    are compared row by row, figures one by one. Nothing is written but a row in `runs`.

    Examples:
        sparkml-ops reproduce flights@champion

        sparkml-ops reproduce flights@3 --json
    """
    asked = split_model(model)
    loaded, lake = open_both(asked.name, context.obj)
    from sparkml_ops.training import reproduce as make_again

    result = make_again(loaded, lake, version=asked.version, alias=asked.alias, run_id=run_id)
    return print_result(
        to_plain(result), as_json=as_json, lines=lambda: _describe(result), exit_code=int(result.verdict != "identical")
    )


def _describe(result: "ReproduceResult") -> list[str]:
    rows = result.rows
    compared = f"{rows.equal:,} of {rows.rows:,} rows have the same prediction"
    by = (
        "" if rows.equal == rows.rows else f"; largest difference {rows.largest:.3g}, above 1e-9 in {rows.above:,} rows"
    )
    return [
        f"{result.model_name} version {result.model_version}, made again from {result.training_set}: {result.verdict}",
        compared + by,
        "",
        *_show_figures(result),
        *_list("not as it was at training", result.differences),
        *_list("otherwise in the YAML today (what was recorded was done)", _show_configuration(result)),
    ]


def _show_figures(result: "ReproduceResult") -> list[str]:
    shown = [figure for figure in result.figures if figure.part == "value" or not figure.is_same]
    return format_table(
        ("model", "figure", "recorded", "again", ""),
        [
            (
                f.model,
                f.metric if f.part == "value" else f"{f.metric}, {f.part}",
                f.recorded,
                f.again,
                "same" if f.is_same else _show_gap(f.recorded, f.again),
            )
            for f in shown
        ],
    )


def _show_gap(recorded: float | None, again: float | None) -> str:
    return "differs" if recorded is None or again is None else f"{again - recorded:+.3g}"


def _show_configuration(result: "ReproduceResult") -> list[str]:
    shown = [f"{c.key}: {format_value(c.old)} -> {format_value(c.new)}" for c in result.configuration[:_MOST_CHANGES]]
    more = len(result.configuration) - len(shown)
    return [*shown, f"and {more} more; --json has all"] if more else shown


def _list(head: str, lines: "list[str] | tuple[str, ...]") -> list[str]:
    return ["", f"{head}:", *(f"  {line}" for line in lines)] if lines else []
