"""The verbs of the stages. Each is a thin call of the function of the same name; docstrings are the help texts."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sparkml_ops.cli.dataset_lines import describe_left_out, describe_parts
from sparkml_ops.cli.diagnosis_lines import describe_findings
from sparkml_ops.cli.options import Json, Replace, RunId, Since, Until, UseCaseName, open_both
from sparkml_ops.cli.output import format_table, format_value, print_result, to_plain
from sparkml_ops.cli.scoring_lines import describe_calendar, describe_scoring
from sparkml_ops.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sparkml_ops.promotion import PromoteResult


def dataset(context: typer.Context, use_case: UseCaseName, run_id: RunId = None, *, as_json: Json = False) -> int:
    """Create the version of the training set that the newest tables make.

    Examples:
        sparkml-ops dataset flights
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.features import create_training_set

    result = create_training_set(loaded, lake, run_id=run_id)
    lines = [f"training set {result.version} ({result.status}), {len(result.feature_columns)} feature columns"]
    return print_result(
        {**to_plain(result), "immature_share": round(result.immature_share, 6)},
        as_json=as_json,
        lines=lambda: [*lines, *describe_parts(result), describe_left_out(result)],
    )


def train(
    context: typer.Context,
    use_case: UseCaseName,
    training_set: Annotated[
        str | None, typer.Option(help="Version of the training set; the newest by default.")
    ] = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Tune, fit, judge and register a candidate. It serves only after `promote`.

    Examples:
        sparkml-ops train flights

        sparkml-ops --set model.search.max_trials=40 train flights
    """
    from sparkml_ops.training import check_model
    from sparkml_ops.training import train as fit

    loaded, lake = open_both(use_case, context.obj, check=check_model)
    result = fit(loaded, lake, training_set=training_set, run_id=run_id)
    head = f"{result.model_name} version {result.model_version} ({result.status}), {result.trials} trials, {result.seconds:.0f} s"
    metrics = list(result.figures["candidate"])
    rows = [(who, *[_show_figure(figures[name]) for name in metrics]) for who, figures in result.figures.items()]
    table = ("model", *metrics)
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [
            head,
            *format_table(table, rows),
            *_show_kpis(result.kpis),
            *describe_findings(result.diagnosis),
        ],
    )


def _show_kpis(kpis: "Mapping[str, Any]") -> list[str]:
    if not kpis:
        return []
    models = list(next(iter(kpis.values()))["figures"])
    rows = [(name, kpi["better"], *(_show_figure(kpi["figures"][one]) for one in models)) for name, kpi in kpis.items()]
    return ["", *format_table(("business figure", "better", *models), rows)]


def _show_figure(figure: "Mapping[str, float | None]") -> str:
    if figure["lower"] is None:
        return format_value(figure["value"])
    return f"{figure['value']:.4f} [{figure['lower']:.4f}, {figure['upper']:.4f}]"


def promote(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    version: Annotated[int | None, typer.Option(help="The version to decide about; the newest by default.")] = None,
    by: Annotated[str | None, typer.Option(help="With --approve: who approves; recorded in `promotions`.")] = None,
    reason: Annotated[str | None, typer.Option(help="With --approve: why; recorded in `promotions`.")] = None,
    run_id: RunId = None,
    *,
    approve: Annotated[bool, typer.Option("--approve", help="Let a version serve that awaits approval.")] = False,
    as_json: Json = False,
) -> int:
    """Ask the gates whether a version may serve; exit 1 when they refuse, or when it awaits approval.

    Examples:
        sparkml-ops promote flights

        sparkml-ops promote flights --version 3

        sparkml-ops promote flights --version 3 --approve --by "Ann Lee" --reason "reviewed with operations"
    """
    _check_approval(version, by, reason, approve=approve)
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.promotion import approve as let_serve
    from sparkml_ops.promotion import promote as decide

    if version is not None and by is not None and reason is not None:
        result = let_serve(loaded, lake, version=version, by=by, reason=reason, run_id=run_id)
    else:
        result = decide(loaded, lake, version=version, run_id=run_id)
    gates = [(g.gate, g.verdict, g.reason) for g in result.gates]
    head = [
        f"version {result.version}: {result.decision}: {result.reason}",
        f"champion: version {format_value(result.champion)}",
        *_tell_undo(result, use_case),
    ]
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [*head, *format_table(("gate", "verdict", "reason"), gates)],
        exit_code=int(result.decision in {"refused", "awaiting_approval"}),
    )


def _check_approval(version: int | None, by: str | None, reason: str | None, *, approve: bool) -> None:
    """An approval names the version, the person and the reason; without `--approve` nobody's name means anything."""
    given = {"--version": version, "--by": by, "--reason": reason}
    lacking = [option for option, value in given.items() if value is None]
    if approve and lacking:
        raise ConfigError(
            f"--approve: {', '.join(lacking)} missing; expected --version N --approve --by NAME --reason WHY"
        )
    if not approve and (by is not None or reason is not None):
        raise ConfigError(
            "--by and --reason belong to an approval; expected --version N --approve --by NAME --reason WHY"
        )


def rollback(
    context: typer.Context,
    use_case: UseCaseName,
    to_version: Annotated[int, typer.Option("--to", help="The version that is to be champion again.")],
    reason: Annotated[str, typer.Option(help="Why; recorded in `promotions`.")],
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Make an earlier version champion again, without asking the gates.

    Examples:
        sparkml-ops rollback flights --to 2 --reason "late alarms since Tuesday"
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.promotion import roll_back

    result = roll_back(loaded, lake, to_version=to_version, reason=reason, run_id=run_id)
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [f"champion: version {result.champion} ({result.decision})", *_tell_undo(result, use_case)],
    )


def _tell_undo(result: "PromoteResult", name: str) -> list[str]:
    command = result.tell_undo(name)
    return [] if command is None else [f"undo: {command}"]


def score(  # noqa: PLR0913  # an option is an argument
    context: typer.Context,
    use_case: UseCaseName,
    batch: Annotated[str | None, typer.Option(help="Name of the batch; by default its first and last day.")] = None,
    since: Since = None,
    until: Until = None,
    run_id: RunId = None,
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Score all rows, although `scoring.incremental` is set.")
    ] = False,
    replace: Replace = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell, day by day, what would be scored.")] = False,
    as_json: Json = False,
) -> int:
    """Score a batch with the champion and publish it; exit 1 when it is held.

    A batch that was scored before keeps its rows: other rows under its name are refused, with exit 4, unless --replace is given.

    Examples:
        sparkml-ops score flights

        sparkml-ops score flights --from 2013-12-01 --to 2014-01-01 --dry-run

        sparkml-ops score flights --batch 2013-12
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.scoring import plan_scoring
    from sparkml_ops.scoring import score as score_batch

    if dry_run:
        plan = plan_scoring(loaded, lake, since=since, until=until)
        return print_result(plan, as_json=as_json, lines=lambda: describe_calendar(plan))
    result = score_batch(loaded, lake, batch=batch, since=since, until=until, full=full, replace=replace, run_id=run_id)
    return print_result(result, as_json=as_json, lines=lambda: describe_scoring(result), exit_code=int(result.is_held))


def monitor(
    context: typer.Context,
    use_case: UseCaseName,
    batch: Annotated[str | None, typer.Option(help="The batch to look at; the one published last by default.")] = None,
    run_id: RunId = None,
    *,
    as_json: Json = False,
) -> int:
    """Measure drift and performance of a published batch, and raise alerts.

    Examples:
        sparkml-ops monitor flights
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.monitoring import monitor as watch

    result = watch(loaded, lake, batch=batch, run_id=run_id)
    columns = ("scope", "subject", "name", "value", "lower", "upper", "threshold", "verdict")
    rows = [tuple(getattr(figure, column) for column in columns) for figure in result.figures]
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [*format_table(columns, rows), *[f"ALERT {a.message}" for a in result.alerts]],
    )


def report(context: typer.Context, use_case: UseCaseName, *, as_json: Json = False) -> int:
    """Write the summary page, and the pages of feature views and experiments, anew from the tables.

    Examples:
        sparkml-ops report flights
    """
    loaded, lake = open_both(use_case, context.obj)
    from sparkml_ops.reporting import report as write_page

    result = write_page(loaded, lake)
    return print_result(
        result,
        as_json=as_json,
        lines=lambda: [str(path) for path in (result.path, result.features_path, result.experiments_path)],
    )
