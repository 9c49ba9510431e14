"""What the models of segments look at, in a size that is bounded: for how many of them a column is among the first ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.models.kinds._base import EstimatorKind

if TYPE_CHECKING:
    from numpy.typing import NDArray

LOOKED_ROWS = 200
"""Of a segment, evenly spaced in time: what a column adds on average is then known to a few percent, and costs less than the fit."""
TOP = 3
TOLD = 10
"""Columns in the summary."""

Looked = tuple[tuple[int, float], ...]
"""Of one model the first columns: position among the feature columns, and share of what all columns add."""


def look_at(
    kind: EstimatorKind, fitted: Any, features: "NDArray[np.float64]", groups: Sequence[Sequence[int]]
) -> Looked:
    """The first `TOP` columns of a model, by how far what they add is from its mean, as the model of all rows is explained.

    Args:
        kind: Asks the model.
        fitted: The model; one that does not say what its columns add gives nothing.
        features: Rows of the segment, shape (rows, encoded columns).
        groups: Encoded columns of each feature column.
    """
    if not groups or not kind.has_contributions(fitted):
        return ()
    taken = np.unique(np.linspace(0, len(features) - 1, min(len(features), LOOKED_ROWS)).astype(np.int64))
    added = kind.find_contributions(fitted, np.asarray(features[taken]))
    of_columns = np.column_stack([added[:, list(positions)].sum(axis=1) for positions in groups])
    sizes = np.abs(of_columns - of_columns.mean(axis=0)).mean(axis=0)
    total = float(sizes.sum())
    first = np.argsort(-sizes, kind="stable")[:TOP]
    return tuple((int(at), float(sizes[at]) / total) for at in first if sizes[at] > 0)


def summarize(looked: Sequence[Looked], names: Sequence[str]) -> dict[str, Any]:
    """The columns that are among the first of most models; empty where no model says what its columns add.

    Args:
        looked: Of each model.
        names: Of the feature columns.

    Returns:
        `models` that were looked at, and of at most `TOLD` columns `first` and `among` (of how many models it is the first, and among
        the first `TOP`) and the mean `share` of these.
    """
    told = [one for one in looked if one]
    if not told:
        return {}
    among: dict[int, list[float]] = {}
    for one in told:
        for at, share in one:
            among.setdefault(at, []).append(share)
    first = [one[0][0] for one in told]
    columns: list[dict[str, Any]] = [
        {"name": names[at], "first": first.count(at), "among": len(shares), "share": sum(shares) / len(shares)}
        for at, shares in among.items()
    ]
    ranked = sorted(columns, key=lambda one: (-one["first"], -one["among"], one["name"]))
    return {"models": len(told), "top": TOP, "columns": ranked[:TOLD]}
