"""Trainings and what differs between two, as lines."""

from typing import TYPE_CHECKING, Any

from sparkml_ops.cli.output import format_table, format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkml_ops.features import KeyChange
    from sparkml_ops.models import RecordedFigure, RecordedTraining
    from sparkml_ops.training import TrainingComparison
    from sparkml_ops.training.differences import TrainingDifferences

_HASH = 8  # digits of a hash that tell it from others
_WIDEST = 60  # characters of a value of the configuration


def describe_trainings(trainings: "Sequence[RecordedTraining]", name: str) -> list[str]:
    """A line for each training."""
    if not trainings:
        return [f"{name} has no trained version yet. `sparkml-ops train {name}` makes one."]
    columns = (
        "rank", "version", "trained", "training set", "estimator", "trials", "metric", "on test", "aliases", "config", "note",
    )  # fmt: skip
    rows = [
        (
            one.rank,
            one.version,
            _show_instant(one.trained_at),
            one.training_set,
            one.estimator,
            _show_trials(one),
            one.metric,
            show_figure(one.figure),
            ", ".join(one.aliases),
            one.config_hash[:_HASH],
            one.note,
        )
        for one in trainings
    ]
    return format_table(columns, rows)


def describe_comparison(found: "TrainingComparison", name: str) -> list[str]:
    """What differs, part by part; of what is alike, that it is."""
    differences = found.differences
    old, new = differences.old, differences.new
    lines = [f"{name} version {old.version} -> version {new.version}", "", *_describe_data(differences)]
    lines += ["", *_describe_features(differences)]
    for what, changes in (("parameters", differences.params), ("configuration", differences.configuration)):
        lines += ["", *_describe_changes(what, changes)]
    if not (old.recipe and new.recipe):
        lines.append("(the configuration is not recorded of both: one was trained by an earlier release)")
    lines += ["", f"environment: {found.environment}", "", *_describe_figures(differences)]
    return [*lines, "", found.same_rows.sentence] if found.same_rows else lines


def _describe_data(differences: "TrainingDifferences") -> list[str]:
    said = {True: "the same", False: "other", None: "not recorded of both:"}
    old, new = differences.old, differences.new
    head = (
        f"data: {old.training_set} -> {new.training_set}: {said[differences.has_same_rows]} rows "
        f"({old.content_hash or '-'} -> {new.content_hash or '-'}), {said[differences.has_same_definition]} definition"
    )
    if differences.has_same_rows:
        return [head]
    parts = [(part, before, after) for part, (before, after) in differences.rows.items()]
    return [head, *format_table(("part", "rows old", "rows new"), parts)] if parts else [head]


def _describe_features(differences: "TrainingDifferences") -> list[str]:
    removed = [f"  - {name}{f': {why}' if why else ''}" for name, why in differences.features_removed.items()]
    changed = [*(f"  + {name}" for name in differences.features_added), *removed]
    before, after = len(differences.old.features), len(differences.new.features)
    return [f"features: {before} -> {after}", *changed] if changed else [f"features: the same {after}"]


def _describe_changes(what: str, changes: "Sequence[KeyChange]") -> list[str]:
    if not changes:
        return [f"{what}: the same"]
    rows = [(change.key, _brief(change.old), _brief(change.new)) for change in changes]
    return [f"{what}:", *format_table(("key", "old", "new"), rows)]


def _describe_figures(differences: "TrainingDifferences") -> list[str]:
    rows = [(pair.metric, show_figure(pair.old), show_figure(pair.new)) for pair in differences.figures]
    if not rows:
        return ["figures: not recorded of both"]
    where = "on the same test rows" if differences.has_same_rows else "each on the test rows of its own training set"
    heads = ("metric", *(f"version {one.version}" for one in (differences.old, differences.new)))
    return [f"figures, {where}:", *format_table(heads, rows)]


def _brief(value: Any) -> str:
    text = " ".join(format_value(value).split())
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"


def show_figure(figure: "RecordedFigure") -> str:
    """`0.7810 [0.7750, 0.7870]`."""
    if figure.value is None:
        return "-"
    if figure.lower is None or figure.upper is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} [{figure.lower:.4f}, {figure.upper:.4f}]"


def _show_instant(text: str | None) -> str | None:
    return None if text is None else text[:19].replace("T", " ")


def _show_trials(one: "RecordedTraining") -> str:
    if one.trials is None:
        return "-"
    return f"{one.trials} ({one.failed} failed)" if one.failed else str(one.trials)
