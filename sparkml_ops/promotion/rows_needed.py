"""How many rows a decision would take that the present ones cannot make.

Everywhere the same is supposed: the figure stays as it is, and its error falls by the square root of the rows. With an error e of n rows
that must come down to d, that is `n * (e / d)²` rows. Of figures whose rows come by days it means as many more days.
"""

import math
from statistics import NormalDist

from sparkml_ops.models.evaluation import MINIMUM_BLOCKS

_TWO_SIDED_95 = NormalDist().inv_cdf(0.975)
_MOST = 10**12
_SHOWN_DIGITS = 2  # an estimate from an estimated error is no better


def estimate_rows(rows: int, *, excess: float, error: float) -> float:
    """`rows * (error / excess)²`, infinite where nothing is left to show.

    Args:
        rows: Rows that the error is of.
        excess: To what the error must come down.
        error: How large it is.
    """
    return rows * (error / excess) ** 2 if excess > 0 and math.isfinite(error / excess) else math.inf


def tell_rows_for_difference(rows: int, *, excess: float, error: float) -> str:
    """A clause on how many rows would show it; empty where it is not the rows that are lacking."""
    if not excess > 0 or error <= excess:
        return ""
    needed = estimate_rows(rows, excess=excess, error=error)
    return f"; if the difference stays as it is, {format_rows(needed)} rows would show it"


def tell_rows_for_confidence(rows: int, gain: float, *, width: float, confidence: float) -> str:
    """A clause on how many rows would show a gain with this confidence; empty where there is no gain, or by this estimate enough rows.

    The standard error is the width of the 95 % interval by 2 * 1.96, and the error that must fall below the gain is as many of it as the
    normal distribution has at the confidence.

    Args:
        rows: Rows that were judged.
        gain: Of the candidate over the champion, above zero where it is better.
        width: Of the 95 % interval of the difference.
        confidence: What is asked for, above a half.
    """
    error = NormalDist().inv_cdf(confidence) * width / (2 * _TWO_SIDED_95)
    return tell_rows_for_difference(rows, excess=gain, error=error)


def tell_rows_for_days(rows: int, days: int) -> str:
    """A clause on how many rows would come in as many days as an interval takes; empty where there are enough days, or no row."""
    if not rows or not 0 < days < MINIMUM_BLOCKS:
        return ""
    return f"; at {rows / days:,.0f} rows a day these are {format_rows(rows / days * MINIMUM_BLOCKS)} rows"


def tell_rows_for_share(part: int, of: int, *, minimum: int) -> str:
    """How many rows would have enough of a part that has so many of them by now; in words.

    Args:
        part: Rows of it.
        of: Rows in all.
        minimum: How many of the part are asked for.
    """
    if not part:
        return "more rows of the same kind may have none either"
    return f"at this share it takes {format_rows(of * minimum / part)} judged rows"


def format_rows(rows: float) -> str:
    """About how many, rounded up."""
    if rows > _MOST:
        return f"more than {_MOST:,}"
    whole = math.ceil(rows)
    step = 10 ** max(len(str(whole)) - _SHOWN_DIGITS, 0)
    return f"about {-(-whole // step) * step:,}"
