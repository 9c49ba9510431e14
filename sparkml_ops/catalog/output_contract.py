"""What published predictions promise to those who read them, and whether rows keep it."""

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.promises import list_promises
from sparkml_ops.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

_MOST_TOLD = 5


def find_broken(use_case: "UseCase", rows: "DataFrame") -> dict[str, int]:
    """Rows that break each promise, by its words; one pass, and none of those that all rows keep. A missing column breaks it in words alone."""
    promises = list_promises(use_case)
    missing = [f"{promise.column} is a column" for promise in promises if promise.column not in rows.columns]
    there = [promise for promise in promises if promise.column in rows.columns]
    broken = [
        F.count_if(~F.coalesce(F.expr(promise.sql), F.lit(True))).alias(str(at)) for at, promise in enumerate(there)
    ]
    counts = rows.agg(*broken).collect()[0]
    found = {promise.text: int(counts[str(at)]) for at, promise in enumerate(there) if counts[str(at)]}
    return {**dict.fromkeys(missing, 0), **found}


def require_promises(use_case: "UseCase", rows: "DataFrame", *, place: str) -> None:
    """Refuse rows that break what is promised to readers.

    Args:
        use_case: promises it.
        rows: with the columns of `predictions_current`.
        place: what the rows are, for the message.

    Raises:
        ContractError: a promise is broken; nothing is passed on.
    """
    broken = find_broken(use_case, rows)
    if broken:
        raise ContractError(_tell(broken, place))


def _tell(broken: dict[str, int], place: str) -> str:
    told = [
        f"  - {text}: {f'{count} rows are otherwise' if count else 'it is not there'}" for text, count in broken.items()
    ]
    more = [f"  … {len(told) - _MOST_TOLD} more"] if len(told) > _MOST_TOLD else []
    lines = [
        f"{place} breaks what its contract promises (`sparkml-ops contract export --predictions` shows it). Nothing was passed on.",
        *told[:_MOST_TOLD],
        *more,
    ]
    return "\n".join(lines)
