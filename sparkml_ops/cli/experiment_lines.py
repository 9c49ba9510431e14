"""Trainings and what differs between two, as lines."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sparkml_ops.cli.output import format_table

if TYPE_CHECKING:
    from sparkml_ops.models import RecordedFigure, RecordedTraining

_HASH = 8  # digits of a hash that tell it from others


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
