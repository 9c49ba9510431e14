"""What the documentation of windows says, in plain Python over plain events: slow, and nothing shared with the code."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

DAY = 86_400_000_000


@dataclass(frozen=True)
class Asked:
    """What is asked of the events: one `aggregate` of a view.

    Attributes:
        of: the field of an event.
        ops: operations by their names.
        windows: microseconds by the name of the window.
        by: a field and its values by the names they have in columns.
        only_positive: events count only where their `amount` is above 0.
    """

    of: str
    ops: tuple[str, ...]
    windows: dict[str, int]
    by: tuple[str, dict[str, Any]] | None = None
    only_positive: bool = False
    stem: str | None = None


def expect_rows(events, asked, *, snapshot):
    """Rows of one entity by their instant: figures by column. An event has its time `t`, and `k`, when it was known."""
    moments = set()
    for ask in asked:
        for event in events:
            if counts(event, ask) and (ask.by is None or event[ask.by[0]] in ask.by[1].values()):
                for window in ask.windows.values():
                    enters, leaves = bounds(event, window, snapshot)
                    moments |= {enters, leaves} if enters < leaves else set()
    return {moment: expect_row(events, asked, moment, snapshot=snapshot) for moment in moments}


def expect_row(events, asked, moment, *, snapshot):
    row = {}
    for ask in asked:
        for name, length in ask.windows.items():
            inside = [e for e in events if counts(e, ask) and is_inside(e, moment, length, snapshot)]
            buckets = {"": inside}
            if ask.by is not None:
                field, values = ask.by
                buckets = {f"{label}_": [e for e in inside if e[field] == value] for label, value in values.items()}
            for label, chosen in buckets.items():
                values = [e[ask.of] for e in sorted(chosen, key=lambda e: (e["t"], order_of(e[ask.of])))]
                for operation in ask.ops:
                    row[f"{ask.stem or ask.of}_{operation}_{label}{name}"] = figure(operation, values)
    return row


def counts(event, ask):
    value, amount = event[ask.of], event["amount"]
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return False
    return not ask.only_positive or (amount is not None and (amount > 0 or math.isnan(amount)))  # NaN is above 0 to SQL


def is_inside(event, moment, length, snapshot):
    if event["k"] > moment:
        return False
    if snapshot:
        return moment - length <= event["t"] < moment
    return moment - length < event["t"] <= moment


def bounds(event, length, snapshot):
    """First instant at which an event is in a window, and the first at which it is no more; by trying midnights."""
    if not snapshot:
        return max(event["t"], event["k"]), event["t"] + length
    midnight = event["t"] - event["t"] % DAY
    days = [midnight + day * DAY for day in range(length // DAY + 3)]
    inside = [day for day in days if is_inside(event, day, length, snapshot)]
    return (inside[0], inside[-1] + DAY) if inside else (0, 0)


def order_of(value):
    return value.encode() if isinstance(value, str) else value


def figure(operation, values):
    if operation in {"count", "count_distinct"}:
        return len(values if operation == "count" else set(values))
    if not values:
        return None
    if operation in {"first", "last"}:
        return values[0 if operation == "first" else -1]
    if operation.startswith("last_"):
        return values[::-1][: int(operation[5:])]
    if operation == "most_frequent":
        often = Counter(values)
        return min((value for value in often if often[value] == max(often.values())), key=order_of)
    return calculate(operation, [float(value) for value in values])


def calculate(operation, values):
    if operation in {"min", "max"}:
        return min(values) if operation == "min" else max(values)
    if operation.startswith("p"):
        return percentile(values, int(operation[1:]))
    infinities = {value for value in values if math.isinf(value)}
    if infinities:
        return infinities.pop() if len(infinities) == 1 and operation in {"sum", "mean"} else None
    total, mean = math.fsum(values), math.fsum(values) / len(values)
    if operation != "std":
        return total if operation == "sum" else mean
    if len(values) == 1:
        return None
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


def percentile(values, percent):
    lower, rest = divmod((len(values) - 1) * percent, 100)
    low, high = [*sorted(values), math.nan][lower : lower + 2]
    between = low if rest == 0 or low == high else low + (high - low) * (rest / 100)
    return None if math.isnan(between) else between
