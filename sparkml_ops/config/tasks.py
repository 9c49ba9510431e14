"""What a model can be asked for, by task: the metrics that a search may optimise, and which way each is better."""

METRICS = {
    "binary": ("roc_auc", "pr_auc", "log_loss"),
    "regression": ("rmse", "mae", "r2"),
}
"""Metrics that a search may optimise, by task; the first is the default."""
HIGHER_IS_BETTER = frozenset({"roc_auc", "pr_auc", "r2"})
"""Of all metrics; of every other one the lower is the better."""
NEAR_ZERO_IS_BETTER = frozenset({"bias"})
"""Of metrics with a sign: the better one is the nearer to zero."""
