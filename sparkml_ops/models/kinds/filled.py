"""What Spark MLlib's models are given: columns without missing values, and levels as codes or one column each."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Filling:
    """What was learned of the columns of the matrix; both arrays have the shape (encoded columns,).

    Attributes:
        fills: What stands in for a missing number.
        levels: How many levels a column of codes has; -1 for a column of numbers. A missing level, and one that the rows to
            fit on did not have, are one level more, whose code follows the last.
    """

    fills: "NDArray[np.float64]"
    levels: "NDArray[np.int64]"

    @property
    def widths(self) -> "NDArray[np.int64]":
        """Columns that a column becomes where levels are spread: 1, or one for each level and one for none of them."""
        return np.where(self.levels < 0, 1, self.levels + 1)

    @property
    def starts(self) -> "NDArray[np.int64]":
        """Position of the first of these columns."""
        return np.cumsum(self.widths) - self.widths

    def fill(self, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
        """The matrix without missing values, in a new array of the same shape."""
        filled = np.where(np.isnan(matrix), self.fills, matrix)
        for position in np.flatnonzero(self.levels >= 0):
            codes, last = matrix[:, position], self.levels[position]
            filled[:, position] = np.where(codes < last, codes, last)  # NaN is not below it either
        return filled

    def spread(self, matrix: "NDArray[np.float64]") -> tuple["NDArray[np.int64]", "NDArray[np.float64]"]:
        """Where each row has something else than 0 once levels have columns of their own, and what.

        Returns:
            Positions and values, both of the matrix's shape; positions rise within a row.
        """
        filled, is_level = self.fill(matrix), self.levels >= 0
        positions = np.broadcast_to(self.starts, filled.shape).copy()
        positions[:, is_level] += filled[:, is_level].astype(np.int64)
        filled[:, is_level] = 1.0
        return positions, filled
