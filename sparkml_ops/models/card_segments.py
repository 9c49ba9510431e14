"""Models per segment on a version's card: how many there are, what they serve, and what they gain."""

from collections.abc import Mapping
from typing import Any

from sparkml_ops.models.markdown import NONE, make_table, quote_cell, quote_code
from sparkml_ops.models.segments import GLOBAL

SHOWN = 20
"""Of the segments with a model of their own, those that gain most."""


def tell_segments(facts: Mapping[str, Any]) -> str:
    """Segments by level, and those that gain most; empty of a version that was trained without."""
    asked = facts.get("segments")
    if not asked:
        return ""
    found = asked["found"]
    served = _count_served(asked, facts.get("served", {}))
    total = sum(served.values())
    rows = [
        [
            quote_cell(", ".join(level["columns"])),
            *(f"{level[key]:,}" for key in _COUNTS),
            _show_share(served[at], total),
        ]
        for at, level in enumerate(asked["levels"], start=1)
    ]
    rows.append(["all rows", "1", NONE, NONE, _show_share(served[0], total)])
    by_level = make_table(
        [("segments by", "left"), ("own model", "right"), ("judged, not kept", "right"), ("too few rows", "right"), ("share of test rows served", "right")],
        rows,
    )  # fmt: skip
    rule = (
        f"A segment of at least {asked['minimum_rows']:,} rows of train has a model of its own where that has a lower log loss on its "
        f"rows of valid than the model that would serve it otherwise, by more than {asked['minimum_gain']:g} and beyond chance "
        f"({asked['confidence']:.0%}, over all segments of a level). `{GLOBAL}` among the figures is the model of all rows alone. What "
        "the model looks at, the share of gain and what was found about the training are told of that one; the reasons of a scored "
        "row are those of the model that served it."
    )
    return f"{rule}\n\n{by_level}{_tell_best(found)}{_tell_importance(asked.get('importance') or {})}"


_COUNTS = ("kept", "not_kept", "too_small")


def _count_served(asked: Mapping[str, Any], served: Mapping[str, int]) -> dict[int, int]:
    """Test rows by the level of the model that served them; 0 is the model of all rows."""
    levels = {one["name"]: one["level"] for one in asked["found"]}
    counts = dict.fromkeys(range(len(asked["levels"]) + 1), 0)
    for name, rows in served.items():
        counts[levels.get(name, 0)] += rows
    return counts


def _show_share(rows: int, total: int) -> str:
    return f"{rows / total:.1%}" if total else NONE


def _tell_best(found: list[Mapping[str, Any]]) -> str:
    kept = sorted((one for one in found if one["kept"]), key=lambda one: (-one["gain"], one["name"]))
    if not kept:
        return "\n\nNo segment has a model of its own."
    rows = [
        [
            quote_cell(one["name"]),
            quote_cell(one["parent"]),
            f"{one['rows']:,}",
            f"{one['log_loss']:.4f}",
            f"{one['parent_log_loss']:.4f}",
            f"{one['gain']:.4f} (at least {one['lower']:.4f})",
        ]
        for one in kept[:SHOWN]
    ]
    head = f"Those that gain most, {len(rows)} of {len(kept)}; all are in {quote_code('metrics')}, scope {quote_code('segment')}:"
    table = make_table(
        [("segment", "left"), ("instead of", "left"), ("rows", "right"), ("log loss on valid", "right"), ("of the other", "right"), ("gain", "right")],
        rows,
    )  # fmt: skip
    return f"\n\n{head}\n\n{table}"


def _tell_importance(found: Mapping[str, Any]) -> str:
    """What the models of segments look at; empty where none says it."""
    if not found:
        return ""
    rows = [
        [quote_cell(one["name"]), f"{one['first']:,}", f"{one['among']:,}", f"{one['share']:.0%}"]
        for one in found["columns"]
    ]
    head = (
        f"What {found['models']:,} models of segments look at: for how many of them a column moves the answer most, and for how many it is "
        f"among the first {found['top']}, with its mean share there:"
    )
    table = make_table(
        [("column", "left"), ("first of", "right"), ("among the first of", "right"), ("share", "right")], rows
    )
    return f"\n\n{head}\n\n{table}"
