"""Models of segments, fitted on a worker: many small ones in one task, one thread each, on the rows that the machine has mapped."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.models.family import read_stored, store_estimator
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds.trust import adopt_named_packages
from sparkml_ops.training.estimators import FitSettings, JudgedFit, find_estimator, lightgbm, sklearn
from sparkml_ops.training.mapped_segments import MappedLevel
from sparkml_ops.training.matrix import Matrix, Part, map_matrix
from sparkml_ops.training.segment_importance import Looked, look_at
from sparkml_ops.training.segment_rule import MINIMUM_VALID_ROWS, find_losses, measure_gain

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_REASON_LENGTH = 300
JUDGED: Mapping[str, Callable[[Part, Part, FitSettings, int], JudgedFit]] = {
    lightgbm.KIND: lightgbm.fit_judged,
    sklearn.KIND: sklearn.fit_judged,
}
"""By kind, how a model is fitted on some rows and judged on others; kinds that are not here have no models per segment."""


@dataclass(frozen=True)
class SegmentTask:
    """What a worker needs for the segments of one level: small, since it travels with each task.

    Attributes:
        folder: Where the encoded rows are.
        settings: Of each fit: the winner's parameters, one thread.
        rounds: The winner's.
        level: Whose segments; 0 is the first.
        minimum_gain: As `segment_by` says.
        confidence: As `segment_by` says.
        trusted: Packages whose estimators may be read.
        groups: Encoded columns of each feature column, by which kept models are looked at; empty where they are not.
    """

    folder: str
    settings: FitSettings
    rounds: int
    level: int
    minimum_gain: float
    confidence: float
    trusted: tuple[str, ...]
    groups: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class JudgedSegment:
    """What a segment's own model is worth beside its parent's, both fitted on train alone; a reason where there is none."""

    position: int
    rounds: int = 0
    log_loss: float | None = None
    parent_log_loss: float | None = None
    gain: float | None = None
    lower: float | None = None
    p: float = 1.0
    reason: str = ""


@dataclass(frozen=True)
class FittedSegment:
    """A kept model as it is stored: fitted on all rows, and on those of train alone where that is asked for; and its first columns."""

    position: int
    stored: bytes
    on_train: bytes | None
    looked: Looked = ()


def judge_segments(
    task: SegmentTask, parents: Iterable[tuple[int, str]], stored: Mapping[str, bytes]
) -> Iterator[JudgedSegment]:
    """Fit a model for each of some segments, and judge it beside its parent's.

    Args:
        task: What all have in common.
        parents: Position of a segment, and whose model would serve it.
        stored: Those models, fitted on train alone.
    """
    adopt_named_packages(task.trusted)
    matrix = map_matrix(task.folder)
    kind, level = find_estimator_kind(find_estimator(task.settings.estimator).KIND), _find_level(matrix, task)
    read: dict[str, Any] = {}
    for position, parent in parents:
        if parent not in read:
            read = {parent: read_stored(kind, stored[parent])}  # segments of one parent come one after the other
        try:
            yield _judge_segment(
                task, matrix, level, position, partial(kind.predict_values, read[parent], task=task.settings.task)
            )
        except (SparkMLOpsError, ValueError, ArithmeticError) as error:
            yield JudgedSegment(position, reason=f"it could not be fitted: {_shorten(error)}")


def fit_segments(task: SegmentTask, kept: Iterable[tuple[int, int]], *, with_train: bool) -> Iterator[FittedSegment]:
    """Fit the models of the segments that are kept on all their rows.

    Args:
        task: What all have in common.
        kept: Position of a segment, and its rounds.
        with_train: Whether each is wanted as it is on the rows of train alone, too.
    """
    matrix, estimator = map_matrix(task.folder), find_estimator(task.settings.estimator)
    kind, level = find_estimator_kind(estimator.KIND), _find_level(matrix, task)
    for position, rounds in kept:
        rows = level.rows_of(position)
        parts = [rows, rows[: level.fitted[position]]][: 1 + with_train]
        fitted = [estimator.fit_final(matrix.rows.take(np.asarray(part)), task.settings, rounds) for part in parts]
        stored = [store_estimator(kind, one) for one in fitted]
        looked = look_at(kind, fitted[0], matrix.rows.features[np.asarray(rows)], task.groups)
        yield FittedSegment(position, stored[0], stored[1] if with_train else None, looked)


def _judge_segment(
    task: SegmentTask,
    matrix: Matrix,
    level: MappedLevel,
    position: int,
    ask_parent: "Callable[[NDArray[np.float64]], NDArray[np.float64]]",
) -> JudgedSegment:
    rows, fitted = np.asarray(level.rows_of(position)), int(level.fitted[position])
    train, valid = matrix.rows.take(rows[:fitted]), matrix.rows.take(rows[fitted:])
    if len(valid.labels) < MINIMUM_VALID_ROWS:
        return JudgedSegment(position, reason=f"{len(valid.labels)} rows of valid are too few to judge it by")
    if len(np.unique(train.labels)) < 2:  # noqa: PLR2004  # both classes
        return JudgedSegment(position, reason=f"all its rows of train have the label {int(train.labels[0])}")
    own = JUDGED[find_estimator(task.settings.estimator).KIND](train, valid, task.settings, task.rounds)
    mine = find_losses(valid.labels, own.answers)
    others = find_losses(valid.labels, ask_parent(np.asarray(valid.features)))
    days = matrix.segments.days[rows[fitted:]] if matrix.segments else np.zeros(len(mine), dtype=np.int32)
    gain = measure_gain(others - mine, days, minimum=task.minimum_gain, confidence=task.confidence)
    return JudgedSegment(position, own.rounds, float(mine.mean()), float(others.mean()), gain.mean, gain.lower, gain.p)


def _find_level(matrix: Matrix, task: SegmentTask) -> MappedLevel:
    if matrix.segments is None:
        raise ValueError("the rows were written without segments")
    return matrix.segments.levels[task.level]


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split())[:MAX_REASON_LENGTH]


def with_one_thread(settings: FitSettings, params: Mapping[str, Any]) -> FitSettings:
    """The settings of each fit: tasks have dealt the cores already."""
    return replace(settings, params=params, threads=1)
