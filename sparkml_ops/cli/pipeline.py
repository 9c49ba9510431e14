"""The verbs for the whole road; docstrings are the help texts."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sparkml_ops.cli.options import Json, Replace, RunId, UseCaseName, open_both
from sparkml_ops.cli.output import mark, print_result

if TYPE_CHECKING:
    from sparkml_ops.pipeline import RunResult

StageName = Literal["ingest", "features", "dataset", "train", "promote", "score", "monitor"]
FromStage = Annotated[
    StageName | None, typer.Option("--from", help="Run this stage and those after it, changed or not.")
]
ToStage = Annotated[StageName | None, typer.Option("--to", help="Stop after this stage.")]


def run(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    from_stage: FromStage = None,
    to_stage: ToStage = None,
    run_id: RunId = None,
    *,
    replace: Replace = False,
    as_json: Json = False,
) -> int:
    """Run every step that has something to do, in order.

    Examples:
        sparkml-ops run flights

        sparkml-ops run flights --to train

        sparkml-ops --env cluster run flights --json
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.pipeline import run as run_all

    result = run_all(loaded, lake, from_stage=from_stage, to_stage=to_stage, replace=replace, run_id=run_id)
    return print_result(
        result, as_json=as_json, lines=lambda: describe_run(result), exit_code=int(bool(result.refused))
    )


def describe_run(result: "RunResult") -> list[str]:
    """A run for people."""
    if not result.has_changes:
        return ["No changes."]
    width = max(len(step.name) for step in result.steps)
    lines = [f"{mark(s.status)}  {s.name:<{width}}  {s.seconds:6.1f} s  {s.reason}" for s in result.steps]
    return [*lines, f"run {result.run_id}", f"summary page: {result.summary_path}"]


def plan(
    context: typer.Context,
    use_case: UseCaseName,
    from_stage: FromStage = None,
    to_stage: ToStage = None,
    *,
    as_json: Json = False,
) -> int:
    """Show what `run` would do and why; changes nothing.

    Examples:
        sparkml-ops plan flights

        sparkml-ops plan flights --from train
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.pipeline import describe_plan
    from sparkml_ops.pipeline import plan as make_plan

    result = make_plan(loaded, lake, from_stage=from_stage, to_stage=to_stage)
    return print_result(
        result, as_json=as_json, lines=lambda: describe_plan(result.steps) if result.has_changes else ["No changes."]
    )
