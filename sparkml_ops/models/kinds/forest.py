"""Trees as arrays, and which leaf a row comes to."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK_ROWS = 8192  # looked up at a time: what is passed from one depth to the next stays in the processor's cache


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees, one behind the other.

    A leaf is its own child on both sides. Nodes of levels have a row of `subsets`: which levels go left.

    Attributes:
        roots: Position of each tree's first node, shape (trees,).
        depths: Of each tree, shape (trees,).
        weights: By which a tree's value counts, shape (trees,).
        features: Column of the matrix that a node looks at, shape (nodes,); so are the next four.
        thresholds: Values up to it go left.
        lefts: Position of the left child.
        rights: Position of the right child.
        subset_of: Row of `subsets`; -1 where the column is one of numbers.
        gains: What a node's split gained, times the weight of the rows that came to it.
        values: Of the classes, shape (nodes, classes); of a regression the number, shape (nodes, 1).
        subsets: Shape (nodes that look at levels, most levels).
    """

    roots: "NDArray[np.int64]"
    depths: "NDArray[np.int64]"
    weights: "NDArray[np.float64]"
    features: "NDArray[np.int32]"
    thresholds: "NDArray[np.float64]"
    lefts: "NDArray[np.int32]"
    rights: "NDArray[np.int32]"
    subset_of: "NDArray[np.int32]"
    gains: "NDArray[np.float64]"
    values: "NDArray[np.float64]"
    subsets: "NDArray[np.bool_]"

    def add_values(self, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """Weighted values of the leaves that each row comes to, summed over the trees in their order, shape (rows, classes), or (rows, 1).

        Args:
            matrix: Without missing values; codes are those of `subsets`.
        """
        sums = np.zeros((len(matrix), self.values.shape[1]))
        for at in range(0, len(matrix), CHUNK_ROWS):
            rows = matrix[at : at + CHUNK_ROWS]
            for tree, weight in enumerate(self.weights):
                sums[at : at + CHUNK_ROWS] += weight * self.values[self._find_leaves(rows, tree)]
        return sums

    def share_gains(self, width: int) -> "NDArray[np.float64]":
        """Each column's share of the gain, the trees counting by their weights, shape (columns,); 0 everywhere without splits."""
        shares = np.zeros(width)
        for begin, end, weight in zip(self.roots, [*self.roots[1:], len(self.features)], self.weights, strict=True):
            found = np.bincount(self.features[begin:end], weights=self.gains[begin:end], minlength=width)
            shares += weight * found / (found.sum() or 1.0)
        total = shares.sum()
        return shares / total if total else shares

    def _find_leaves(self, rows: "NDArray[np.float64]", tree: int) -> "NDArray[np.int64]":
        nodes, every = np.full(len(rows), self.roots[tree]), np.arange(len(rows))
        for _ in range(self.depths[tree]):
            values = rows[every, self.features[nodes]]
            goes_left = values <= self.thresholds[nodes]
            subset = self.subset_of[nodes]
            of_levels = np.flatnonzero(subset >= 0)
            goes_left[of_levels] = self.subsets[subset[of_levels], values[of_levels].astype(np.int64)]
            nodes = np.where(goes_left, self.lefts[nodes], self.rights[nodes])
        return nodes
