"""A few fits on the mapped rows, to learn what the fit of the winner alone does not tell.

They run on the driver, side by side on all its cores and each with one thread: the rows are mapped there for the last fit anyway, so that
nothing has to travel, neither rows nor models. All of them together are less than two fits of a trial, on at most `CURVE_ROWS` rows, and
predictions of at most `SHUFFLED_PREDICTIONS` rows. The models are fitted on train alone, so that valid is new to them; the candidate has seen it.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.models import HIGHER_IS_BETTER, FeatureEncoder, PackagedModel, find_task
from sparkml_ops.models.evaluation import compare_counts, evaluate_counts
from sparkml_ops.models.package import predict_matrix
from sparkml_ops.training.diagnosis_figures import CurvePoint, Estimate, Shuffled
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.estimators.figures import can_learn
from sparkml_ops.training.matrix import Matrix, Part

if TYPE_CHECKING:
    from numpy.typing import NDArray

CURVE_SHARES = (0.125, 0.25, 0.5, 1.0)  # each point has twice the rows of the one before
CURVE_ROWS = 200_000  # of the last point: the four fits are then 1.9 fits of so many rows, however many there are
CURVE_VALUES = 20_000_000  # rows times columns of the last point: 160 MB
LEAST_ROWS = 50  # of a part that is fitted on or judged by, as for the whole training
LOOKED_ROWS = 20_000  # of train and valid that are predicted: a ROC AUC is then known to about half a percent
SHUFFLED_PREDICTIONS = 1_000_000  # for all columns and repeats: some seconds of one core for a usual forest
SHUFFLED_COLUMNS = 200  # the least important ones: of the others nobody doubts the use
REPEATS = 3
BLOCKS = 20  # stretches of valid in time that are drawn together, as days are where a model is judged
CONFIDENT_SHIFT = 4  # see find_suspects


@dataclass(frozen=True)
class Probe:
    """What is fitted: the winner's estimator, parameters and rounds.

    Attributes:
        matrix: The encoded rows of train and valid.
        encoder: Says which encoded columns belong together.
        settings: With the winner's parameters.
        rounds: Boosting rounds.
    """

    matrix: Matrix
    encoder: FeatureEncoder
    settings: FitSettings
    rounds: int

    def fit(self, rows: Part) -> PackagedModel:
        """Fit on some rows, with one thread."""
        estimator = find_estimator(self.settings.estimator)
        fitted = estimator.fit_final(rows, replace(self.settings, threads=1), self.rounds)
        return PackagedModel("diagnosis", self.settings.task, estimator.KIND, self.encoder, fitted)


@dataclass(frozen=True)
class Fitted:
    """The model of the learning curve's last point, the rows of valid that it is looked at with, and its answers to them."""

    model: PackagedModel
    valid: Part
    answers: "NDArray[np.float64]"


def is_measurable(part: Part) -> bool:
    """Whether there are rows enough, with labels that differ."""
    return len(part.labels) >= LEAST_ROWS and can_learn(part.labels)


def take_evenly(part: Part, most: int) -> Part:
    """At most so many rows, evenly spaced in time: always the same ones."""
    rows = len(part.labels)
    if rows <= most:
        return part
    taken = np.linspace(0, rows - 1, most).astype(np.int64)
    values: dict[str, Any] = {field.name: getattr(part, field.name) for field in fields(part)}
    sampled: dict[str, Any] = {name: None if value is None else value[taken] for name, value in values.items()}
    return Part(**sampled)


def draw_curve(probe: Probe) -> tuple[list[CurvePoint], Estimate, Fitted]:
    """Fit on growing samples of train with the same parameters.

    Returns:
        The metric on valid by rows; by how much the last point is better than the one before it; the last point's model.
    """
    valid = take_evenly(probe.matrix.valid, LOOKED_ROWS)
    train, metric = probe.matrix.train, probe.settings.metric
    most = min(len(train.labels), CURVE_ROWS, CURVE_VALUES // max(train.features.shape[1], 1))
    samples = [take_evenly(train, int(most * share)) for share in CURVE_SHARES]
    samples = [sample for sample in samples if is_measurable(sample)]

    def fit(sample: Part) -> Fitted:
        model = probe.fit(sample)
        return Fitted(model, valid, predict_matrix(model, np.asarray(valid.features)))

    with open_threads() as pool:  # the largest first: it takes longest
        fitted = list(pool.map(fit, reversed(samples)))[::-1]
    if not fitted:
        raise ValueError(f"no sample of train has {LEAST_ROWS} rows with labels that differ: ask is_measurable before")
    points = [
        CurvePoint(len(sample.labels), measure_metric(valid.labels, one.answers, metric, task=probe.settings.task))
        for sample, one in zip(samples, fitted, strict=True)
    ]
    if len(fitted) == 1:
        return points, Estimate(None), fitted[-1]
    return points, estimate_gain(valid, fitted[-2].answers, fitted[-1].answers, settings=probe.settings), fitted[-1]


@contextmanager
def open_threads() -> Iterator[ThreadPoolExecutor]:
    """A thread for each core, in which numerical libraries use no further ones."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    # Kinds set the limit of one thread themselves; done from several threads at a time, the last would leave it behind.
    with threadpool_limits(limits=1), ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        yield pool


def measure_metric(
    labels: "NDArray[np.float64]", answers: "NDArray[np.float64]", metric: str, *, task: str = "binary"
) -> float | None:
    """The metric of some answers; None where it is not defined."""
    counts = find_task(task).count_arrays(labels, answers, np.zeros(len(labels), dtype=np.int64))
    return evaluate_counts(counts, seed=0, task=task).metrics[metric].value


def estimate_gain(
    valid: Part, worse: "NDArray[np.float64]", better: "NDArray[np.float64]", *, settings: FitSettings, repeats: int = 1
) -> Estimate:
    """By how much the better answers are better than the worse ones, drawing stretches of time for both alike.

    Args:
        valid: The rows, in the order of time.
        worse: Answers, shape (repeats * rows,).
        better: Answers, shape (rows,).
        settings: Name metric and task; above zero is better, also for what should be small.
        repeats: How often the rows were answered by the worse.
    """
    blocks = np.arange(len(valid.labels)) * BLOCKS // max(len(valid.labels), 1)
    labels, at = np.tile(valid.labels, repeats), np.tile(blocks, repeats)
    count = find_task(settings.task).count_arrays
    one, other = (count(labels, answers, at) for answers in (np.concatenate([better] * repeats), worse))
    if settings.metric not in HIGHER_IS_BETTER:
        one, other = other, one
    found = compare_counts(one, other, seed=0, task=settings.task).metrics[settings.metric]
    return Estimate(found.difference, found.lower, found.upper)


def shuffle_columns(probe: Probe, fitted: Fitted, *, importance: Mapping[str, float]) -> tuple[list[Shuffled], int]:
    """Permutation importance on valid (Breiman 2001; Fisher, Rudin and Dominici 2019), repeated, with intervals.

    A feature column and its flag of missing values are shuffled together.

    Args:
        probe: Names the metric and the seed.
        fitted: A model that has not seen valid.
        importance: By feature column, where it is known: of very many columns the least important ones are looked at.

    Returns:
        By column, most important first; and the rows that were shuffled.
    """
    names = probe.encoder.feature_columns
    chosen = sorted(range(len(names)), key=lambda at: (importance.get(names[at], np.inf), at))[:SHUFFLED_COLUMNS]
    most = max(SHUFFLED_PREDICTIONS // (len(chosen) * REPEATS), 10 * LEAST_ROWS)
    valid = take_evenly(fitted.valid, most)
    base = predict_matrix(fitted.model, np.asarray(valid.features))
    groups = group_positions(probe.encoder)

    def shuffle(at: int) -> Shuffled:
        worse = np.concatenate(
            [_answer_shuffled(probe, fitted.model, valid, groups[at], repeat) for repeat in range(REPEATS)]
        )
        loss = estimate_gain(valid, worse, base, settings=probe.settings, repeats=REPEATS)
        return Shuffled(names[at], loss)

    with open_threads() as pool:
        losses = list(pool.map(shuffle, chosen))
    return sorted(losses, key=lambda one: -(one.loss.value or 0.0)), len(valid.labels)


def find_suspects(fitted: Fitted) -> "NDArray[np.int64]":
    """Positions of valid rows whose label contradicts a confident prediction, the most confident first.

    Confident learning (Northcutt, Jiang and Chuang 2021): a row counts for a class when its probability is at least the mean
    probability of that class among the rows labelled so. Where much is left open by the features, this alone counts many rows that
    are merely hard; so the label must also be `CONFIDENT_SHIFT` times less likely than by the base rate.
    """
    labels, p = fitted.valid.labels, fitted.answers
    if not is_measurable(fitted.valid):
        return np.empty(0, dtype=np.int64)
    thresholds = suspect_thresholds(fitted)
    of_label = np.where(labels == 1, p, 1 - p)
    other = np.where(labels == 1, thresholds["confident_negative"], thresholds["confident_positive"])
    least = np.where(labels == 1, thresholds["unlikely_positive"], thresholds["unlikely_negative"])
    found = np.flatnonzero((1 - of_label >= other) & (of_label <= least))
    return found[np.argsort(of_label[found], kind="stable")]


def suspect_thresholds(fitted: Fitted) -> dict[str, float]:
    """From which probabilities on a prediction is confident, and below which a label is unlikely."""
    labels, p = fitted.valid.labels, fitted.answers
    base = float(np.mean(labels))
    return {
        "confident_positive": float(np.mean(p[labels == 1])),
        "confident_negative": float(np.mean(1 - p[labels == 0])),
        "unlikely_positive": base / CONFIDENT_SHIFT,
        "unlikely_negative": (1 - base) / CONFIDENT_SHIFT,
    }


def group_positions(encoder: FeatureEncoder) -> list[list[int]]:
    """Positions of the encoded columns of each feature column."""
    groups = [[position] for position in range(len(encoder.columns))]
    flagged = [position for position, column in enumerate(encoder.columns) if column.flag]
    for flag, position in enumerate(flagged, start=len(encoder.columns)):
        groups[position].append(flag)
    return groups


def _answer_shuffled(probe: Probe, model: PackagedModel, valid: Part, positions: Sequence[int], repeat: int) -> Any:
    random = np.random.default_rng([probe.settings.seed, positions[0], repeat])
    matrix = np.array(valid.features)
    matrix[:, positions] = matrix[random.permutation(len(matrix))][:, positions]
    return predict_matrix(model, matrix)
