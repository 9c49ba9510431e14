"""The gate of loading: a fresh process answers as Spark's workers did. Pure."""

from typing import TYPE_CHECKING

import numpy as np

from sparkml_ops.config.gates import LoadsGate
from sparkml_ops.promotion.gates import GateResult, decide_at_most, leave_undecided

if TYPE_CHECKING:
    from numpy.typing import NDArray


def judge_loads(expected: "NDArray[np.float64]", answers: "NDArray[np.float64] | str", gate: LoadsGate) -> GateResult:
    """The largest difference of an answer: of numbers beyond 1 as a share of them.

    Args:
        expected: What Spark's workers answered, shape (rows,) or (rows, classes).
        answers: What the fresh process answered, or why it did not.
        gate: What is asked for.
    """
    if isinstance(answers, str):
        return GateResult("loads", "failed", None, gate.maximum_difference, answers)
    if not len(expected):
        return leave_undecided("loads", gate.maximum_difference, "there is no test row to answer")
    if answers.shape != expected.shape:
        told = f"a fresh process gave answers of shape {answers.shape} where Spark's workers gave {expected.shape}"
        return GateResult("loads", "failed", None, gate.maximum_difference, told)
    largest = float(np.max(np.abs(answers - expected) / np.maximum(np.abs(expected), 1.0)))
    reason = f"a fresh process loaded the registered files and answered {len(expected):,} test rows; the largest difference is {largest:.3g}"
    return decide_at_most("loads", largest, gate.maximum_difference, reason)
