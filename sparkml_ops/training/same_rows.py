"""Two versions asked on the same test rows that neither was fitted on: is one better beyond chance?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from sparkml_ops.errors import ModelError, TableNotFoundError
from sparkml_ops.features import read_training_set
from sparkml_ops.models import (
    PREDICTION,
    Comparison,
    Difference,
    PackagedModel,
    RecordedTraining,
    compare,
    measure_gain,
    predict_rows,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.lake import Lake

OLD, NEW = "_old", "_new"
SEED = 20130101
FITTED_ON = ("train", "valid")
TEST = "split = 'test'"
Verdict = Literal["better", "worse", "no_difference", "unclear", "refused"]


@dataclass(frozen=True)
class Contestant:
    """One of the two: what is recorded of its training, and the model."""

    recorded: RecordedTraining
    model: PackagedModel


@dataclass(frozen=True)
class SameRows:
    """What came of asking both on the same rows.

    Attributes:
        verdict: Of the new one against the old one; refused when they cannot be asked on the same rows, unclear when
            the rows give no interval.
        sentence: The same in words.
        metric: What the verdict is about.
        training_set: Whose part `test` they were asked on.
        rows: Rows of it.
        positives: Rows with label 1; None of a regression.
        days: Days that the intervals rest on.
        metrics: New minus old, by metric.
    """

    verdict: Verdict
    sentence: str
    metric: str | None = None
    training_set: str = ""
    rows: int = 0
    positives: int | None = 0
    days: int = 0
    metrics: Mapping[str, Difference] = field(default_factory=dict)


def judge_same_rows(lake: "Lake", old: Contestant, new: Contestant) -> SameRows:
    """Ask both on the test rows of the newer version's training set, and compare by the paired block bootstrap.

    Rows that the other version was fitted on would flatter it: then the comparison is refused.

    Args:
        lake: Where the training sets are.
        old: One version.
        new: What is held against it; by its number it may be the older one.
    """
    asked, other = (new, old) if new.recorded.version > old.recorded.version else (old, new)
    version, timestamp = asked.recorded.training_set, _find_timestamp(asked.recorded)
    if old.model.task != new.model.task:
        tasks = " and ".join(f"version {one.recorded.version} is a {one.model.task} model" for one in (old, new))
        return _refuse(f"{tasks}: their answers mean different things")
    if timestamp is None:
        return _refuse(f"version {asked.recorded.version} was trained by a release that kept no recipe")
    try:
        test_rows = read_training_set(lake, version).where(TEST)
        reason = find_obstacle(lake, test_rows, asked.recorded, other)
        if reason is not None:
            return _refuse(reason)
        scored = _score(test_rows, old.model, new.model)
    except (TableNotFoundError, ModelError) as error:
        return _refuse(str(error))
    found = compare(scored, label="label", pair=(NEW, OLD), block=timestamp, seed=SEED, task=new.model.task)
    return conclude(found, old.recorded, new.recorded, training_set=version)


def find_obstacle(lake: "Lake", test_rows: "DataFrame", asked: RecordedTraining, other: Contestant) -> str | None:
    """Why the other version must or can not be asked on these rows; None when nothing is in the way."""
    lacking = [name for name in other.model.needed_columns if name not in test_rows.columns]
    if lacking:
        return (
            f"version {other.recorded.version} asks for columns that {asked.training_set} does not have: "
            f"{', '.join(lacking[:5])}{' …' if len(lacking) > 5 else ''}"  # noqa: PLR2004  # as many examples as elsewhere
        )
    if asked.content_hash is not None and asked.content_hash == other.recorded.content_hash:
        return None  # the parts are the same too: the hash takes in `split`
    if is_later(asked, other.recorded):
        return None
    return _find_seen_rows(lake, test_rows, asked, other.recorded)


def is_later(asked: RecordedTraining, other: RecordedTraining) -> bool:
    """Whether all test rows of one come after all rows that the other was fitted on, by the recorded periods."""
    first = (asked.period.get("test") or [None])[0]
    fitted = [other.period[part][1] for part in FITTED_ON if part in other.period]
    if first is None or not fitted or None in fitted:
        return False
    return datetime.fromisoformat(first) > max(datetime.fromisoformat(last) for last in fitted if last is not None)


def conclude(found: Comparison, old: RecordedTraining, new: RecordedTraining, *, training_set: str) -> SameRows:
    """The comparison in words, by the metric of the new training."""
    metric = new.metric or old.metric or "roc_auc"
    verdict, said = judge_difference(metric, found.metrics[metric], reason=found.reason)
    on = f"on the same {found.rows:,} test rows of {training_set}, {found.blocks} days"
    return SameRows(
        verdict=verdict,
        sentence=f"version {new.version} against version {old.version} in {metric}, {on}: {said}",
        metric=metric,
        training_set=training_set,
        rows=found.rows,
        positives=found.positives,
        days=found.blocks,
        metrics=found.metrics,
    )


def judge_difference(metric: str, found: Difference, *, reason: str | None) -> tuple[Verdict, str]:
    """Whether the interval of a difference leaves zero out, and the words for it; a loss that falls is a gain."""
    if found.difference is None or found.lower is None or found.upper is None:
        return "unclear", f"it cannot be told: {reason or 'the figure is not defined'}"
    gain, *ends = (measure_gain(metric, one, 0.0) for one in (found.difference, found.lower, found.upper))
    lower, upper = sorted(ends)
    sure = "" if found.confidence is None else f"; better in {found.confidence:.1%} of the resamples"
    if lower > 0:
        return "better", f"better by {gain:.4f} [{lower:.4f}, {upper:.4f}]{sure}"
    if upper < 0:
        return "worse", f"worse by {-gain:.4f} [{-upper:.4f}, {-lower:.4f}]{sure}"
    return "no_difference", f"no difference that these rows could show: {gain:+.4f} [{lower:+.4f}, {upper:+.4f}]{sure}"


def _find_seen_rows(
    lake: "Lake", test_rows: "DataFrame", asked: RecordedTraining, other: RecordedTraining
) -> str | None:
    """Rows are the same when they have the same key and moment."""
    keys = [_find_key(one) for one in (asked, other)]
    if keys[0] is None or keys[0] != keys[1]:
        return (
            f"it is not known whether version {other.version} was fitted on test rows of {asked.training_set}: "
            "their periods overlap, and the two name their decisions by other keys"
        )
    fitted = read_training_set(lake, other.training_set).where(f"split IN {FITTED_ON}").select(*keys[0])
    seen = test_rows.join(fitted, keys[0], "left_semi").count()
    if not seen:
        return None
    return (
        f"version {other.version} was fitted on {seen:,} of the test rows of {asked.training_set}, which would flatter it; "
        "its figures there would say nothing"
    )


def _score(rows: "DataFrame", old: PackagedModel, new: PackagedModel) -> "DataFrame":
    scored = predict_rows(rows, old).withColumnRenamed(PREDICTION, OLD)
    return predict_rows(scored, new).withColumnRenamed(PREDICTION, NEW)


def _find_timestamp(one: RecordedTraining) -> str | None:
    dataset: Mapping[str, Any] = one.recipe.get("dataset") or {}
    return dataset.get("timestamp")


def _find_key(one: RecordedTraining) -> list[str] | None:
    dataset: Mapping[str, Any] = one.recipe.get("dataset") or {}
    named = dataset.get("key") or dataset.get("entity")
    return sorted({*named, dataset["timestamp"]}) if named else None


def _refuse(reason: str) -> SameRows:
    return SameRows("refused", f"not asked on the same rows: {reason}")
