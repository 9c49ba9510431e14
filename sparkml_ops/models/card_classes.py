"""What a version of several classes takes for what, on its card."""

from collections.abc import Mapping, Sequence
from typing import Any

from sparkml_ops.models.markdown import NONE, make_table, quote_cell

SHOWN_CLASSES = 20  # more columns than that nobody reads; the pairs that are confused most are told instead
SHOWN_PAIRS = 20


def tell_confusion(facts: Mapping[str, Any]) -> str:
    """Rows of the part test by label and most probable class; empty where answers are no classes."""
    cells = facts.get("confusion", ())
    if not cells:
        return ""
    classes = list(facts.get("classes", ()))
    unknown = sorted({cell["label"] for cell in cells} - set(classes))
    told = _tell_matrix(cells, classes, unknown) if len(classes) <= SHOWN_CLASSES else _tell_pairs(cells)
    rows = facts.get("judged_on", {}).get("unknown_class", 0)
    seen = (
        f"\n\n{rows:,} rows are of classes that the part train does not have ({', '.join(quote_cell(name) for name in unknown[:5])}): they "
        "count as wrong, and in `log_loss` as if their class had the probability 0."
        if rows
        else ""
    )
    return (
        f"Rows of the part test: what they are, by row, and what the most probable class is, by column.\n\n{told}{seen}"
    )


def _tell_matrix(cells: Sequence[Mapping[str, Any]], classes: Sequence[str], unknown: Sequence[str]) -> str:
    rows_of = {(cell["label"], cell["answer"]): cell["rows"] for cell in cells}
    table = [
        [
            quote_cell(label),
            *(f"{rows_of[label, answer]:,}" if (label, answer) in rows_of else NONE for answer in classes),
            _tell_share(rows_of.get((label, label), 0), sum(rows_of.get((label, answer), 0) for answer in classes)),
        ]
        for label in [*classes, *unknown[:SHOWN_CLASSES]]
    ]
    return make_table(
        [("label", "left"), *((quote_cell(answer), "right") for answer in classes), ("found", "right")], table
    )


def _tell_pairs(cells: Sequence[Mapping[str, Any]]) -> str:
    wrong = sorted((cell for cell in cells if cell["label"] != cell["answer"]), key=lambda cell: -int(cell["rows"]))
    rows = [
        [quote_cell(cell["label"]), quote_cell(cell["answer"]), f"{cell['rows']:,}"] for cell in wrong[:SHOWN_PAIRS]
    ]
    return (
        make_table([("label", "left"), ("taken for", "left"), ("rows", "right")], rows)
        if rows
        else "No row is taken for another class."
    )


def _tell_share(found: int, rows: int) -> str:
    return f"{found / rows:.1%}" if rows else NONE
