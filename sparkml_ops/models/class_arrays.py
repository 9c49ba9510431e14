"""Labels and probabilities of several classes in memory -> the same counts that `class_counts.count_scores` makes of rows in Spark."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.models.class_counts import SUM_TOLERANCE, ClassCounts, choose_bins
from sparkml_ops.models.score_arrays import count_arrays as count_binary
from sparkml_ops.models.score_arrays import find_bins
from sparkml_ops.models.score_counts import EPSILON, ScoreCounts

if TYPE_CHECKING:
    from numpy.typing import NDArray


def count_arrays(
    labels: "NDArray[np.float64]", answers: "NDArray[np.float64]", blocks: "NDArray[np.int64]"
) -> ClassCounts:
    """Count predictions by block.

    Args:
        labels: Positions of classes, shape (rows,); one past the last is a class that the model does not know.
        answers: Probabilities, shape (rows, classes).
        blocks: The block of each row, from 0 on without gaps, shape (rows,).
    """
    known, codes = answers.shape[1], labels.astype(np.int64)
    width, size = max(known, int(codes.max(initial=0)) + 1), int(blocks.max(initial=-1)) + 1
    confusion = _count((blocks, codes, answers.argmax(axis=1)), (size, width, known))
    bins, columns = choose_bins(known), np.arange(known)
    at = find_bins(answers, bins)
    each = tuple(np.broadcast_to(part, at.shape).ravel() for part in (blocks[:, None], columns, at))
    is_label = (codes[:, None] == columns).ravel()
    return ClassCounts(
        names=tuple(str(code) for code in range(width)),
        known=known,
        confusion=confusion,
        top=_count_tops(codes, answers, blocks),
        rows=_count(each, (size, known, bins)),
        hits=_count(tuple(part[is_label] for part in each), (size, known, bins)),
    )


def widen_answers(answers: "NDArray[np.float64]", classes: int) -> "NDArray[np.float64]":
    """Probabilities of all classes, of those of the first ones: the last classes may be in no row that was fitted on."""
    lacking = classes - answers.shape[1] if answers.ndim == 2 else 0  # noqa: PLR2004  # rows and classes
    return np.pad(answers, ((0, 0), (0, lacking))) if lacking > 0 else answers


def is_possible(answers: "NDArray[np.float64]") -> "NDArray[np.bool_]":
    """Which rows have numbers from 0 on that add up to 1, shape (rows,)."""
    possible: NDArray[np.bool_] = (answers >= 0).all(axis=1) & (np.abs(answers.sum(axis=1) - 1) <= SUM_TOLERANCE)
    return possible


def _count_tops(codes: "NDArray[np.int64]", answers: "NDArray[np.float64]", blocks: "NDArray[np.int64]") -> ScoreCounts:
    known = answers.shape[1]
    of_label = np.where(codes < known, answers[np.arange(len(codes)), np.minimum(codes, known - 1)], 0.0)
    counted = count_binary((answers.argmax(axis=1) == codes).astype(np.float64), answers.max(axis=1), blocks)
    squares = (answers**2).sum(axis=1) - 2 * of_label + 1

    def add_up(values: "NDArray[np.float64]") -> "NDArray[np.float64]":
        return np.bincount(blocks, weights=values, minlength=len(counted.rows)).astype(np.float64)

    losses = -np.log(np.clip(of_label, EPSILON, 1 - EPSILON))
    return ScoreCounts(counted.rows, counted.positives, counted.probability, add_up(losses), add_up(squares))


def _count(at: "tuple[NDArray[np.int64], ...]", shape: tuple[int, ...]) -> "NDArray[np.float64]":
    flat = np.ravel_multi_index(at, shape) if len(at[0]) else np.empty(0, dtype=np.int64)
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.float64)
