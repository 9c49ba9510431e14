"""What a model can be asked for, by task: the metrics that a search may optimise, and which way each is better."""

from collections.abc import Collection

METRICS = {
    "binary": ("roc_auc", "pr_auc", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
    "multiclass": ("log_loss", "accuracy", "macro_f1", "roc_auc"),
}
"""Metrics that a search may optimise, by task; the first is the default."""
MAX_CLASSES = 100
"""Of a multiclass label: every pair of classes is counted for every day, and every row has a probability of each."""
HIGHER_IS_BETTER = frozenset({"roc_auc", "pr_auc", "r2", "accuracy", "macro_f1"})
"""Of all metrics; of every other one the lower is the better."""
NEAR_ZERO_IS_BETTER = frozenset({"bias"})
"""Of metrics with a sign: the better one is the nearer to zero."""


CLASS_ANSWERS = ("predicted_label", "probabilities")
"""What an answer of several classes has beside `prediction`, the probability of the predicted one; there is no `predicted_class`."""


def sort_classes(names: Collection[str]) -> tuple[str, ...]:
    """The order of classes: by number where all are whole numbers, else by the code points of their names."""
    return tuple(sorted(names, key=int) if all(_is_whole(name) for name in names) else sorted(names))


def _is_whole(name: str) -> bool:
    digits = name.removeprefix("-")
    return digits.isascii() and digits.isdigit() and str(int(name)) == name
