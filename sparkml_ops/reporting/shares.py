"""Distributions of predictions over equal bins: from 0 to 1, or between two other numbers."""

from collections.abc import Mapping, Sequence

BINS = 20


def share_bins(rows: Mapping[int, int]) -> tuple[float, ...]:
    """Share of the rows in each bin; empty when there are no rows."""
    total = sum(rows.values())
    return tuple(rows.get(index, 0) / total for index in range(BINS)) if total else ()


def spread_counts(
    edges: Sequence[float], counts: Sequence[int], *, span: tuple[float, float] = (0.0, 1.0)
) -> tuple[float, ...]:
    """Shares by bin from counts between other edges, each spread evenly over its width.

    Args:
        edges: ascending; bin i of the counts is `(edges[i-1], edges[i]]`.
        counts: those of the bin below the first edge, between the edges, above the last, and of missing values.
        span: where the first bin begins and the last one ends.
    """
    low, width = span[0], span[1] - span[0]
    edges = [(edge - low) / width for edge in edges]
    inner = list(zip(edges, edges[1:], counts[1:-2], strict=False))
    total = sum(count for _, _, count in inner)
    if not total:
        return ()
    return tuple(
        sum(count * _overlap((start, end), (index / BINS, (index + 1) / BINS)) for start, end, count in inner) / total
        for index in range(BINS)
    )


def _overlap(part: tuple[float, float], whole: tuple[float, float]) -> float:
    """Share of `part` that lies in `whole`."""
    width = part[1] - part[0]
    if width <= 0:
        return 0.0
    return max(0.0, min(part[1], whole[1]) - max(part[0], whole[0])) / width
