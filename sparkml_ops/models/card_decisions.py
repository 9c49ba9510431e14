"""What a version's classes are worth, what it looks at and what is wrong with it, on its card."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sparkml_ops.models.card_figures import show_figure
from sparkml_ops.models.markdown import escape_text, make_table, quote_cell
from sparkml_ops.models.operating_point import OUTCOMES

_SHOWN_COLUMNS = 10
_UNITS = {"binary": "the log odds", "multiclass": "the scores of the classes, averaged over them,"}
_METHODS = {
    "shap": "Mean size of what each column adds to {} (Shapley values)",
    "linear": "Mean size of what each column adds to {}",
    "permutation": "What the metric loses when the column is shuffled",
}


def tell_operating_point(facts: Mapping[str, Any]) -> str:
    """The threshold, the outcomes of the test rows and the figures that follow from them."""
    point = facts.get("operating_point")
    if point is None:
        return "not recorded"
    threshold, outcomes = point["threshold"], point["outcomes"]
    costs = ", ".join(f"{_spell(name)} {threshold['costs'][name]:g}" for name in OUTCOMES if name in threshold["costs"])
    chosen = f"the least cost on the part valid ({costs})" if costs else "no costs were declared"
    counted = ", ".join(f"{outcomes[name]:,} {_spell(name)}" for name in OUTCOMES)
    rows = [[_spell(name), show_figure(figure)] for name, figure in point["figures"].items()]
    table = make_table([("figure", "left"), ("test", "right")], rows)
    return f"Positive from {threshold['value']:.4f} on: {chosen}. Of the part test, in rows: {counted}.\n\n{table}"


def tell_gain(facts: Mapping[str, Any]) -> str:
    """Which share of all positives is among the rows of the highest predictions, and how much denser they are there."""
    rows = [
        [f"{top:.0%}", f"{found:.1%}", f"{lift:.2f}"] for top, found, lift in list_gain(facts.get("calibration", ()))
    ]
    if not rows:
        return "not recorded"
    return make_table([("highest predictions", "right"), ("positives among them", "right"), ("lift", "right")], rows)


def list_gain(groups: Sequence[Mapping[str, Any]]) -> Iterator[tuple[float, float, float]]:
    """Share of the rows, share of the positives among them, and the quotient of the two, for the groups from the highest on.

    Args:
        groups: Of like predictions, lowest first, with `rows` and `observed`, the share of positives.
    """
    rows, positives = sum(group["rows"] for group in groups), sum(group["rows"] * group["observed"] for group in groups)
    if not positives:
        return
    taken = found = 0.0
    for group in reversed(groups):
        taken += group["rows"]
        found += group["rows"] * group["observed"]
        yield taken / rows, found / positives, found / positives / (taken / rows)


def tell_importance(facts: Mapping[str, Any]) -> str:
    """The columns that move the answers most."""
    explanation = facts.get("explanation")
    if explanation is None:
        return "not recorded"
    shown = explanation["features"][:_SHOWN_COLUMNS]
    table = make_table(
        [("column", "left"), ("importance", "right")],
        [[quote_cell(column["name"]), f"{column['importance']:.4f}"] for column in shown],
    )
    more = len(explanation["features"]) - len(shown)
    rest = f"\n\nAnd {more} more." if more else ""
    unit = _UNITS.get(facts.get("task", "binary"), "the prediction, in its unit")
    return f"{_METHODS[explanation['method']].format(unit)}, on {explanation['rows']:,} rows.\n\n{table}{rest}"


def tell_diagnosis(facts: Mapping[str, Any]) -> str:
    """What was found about the training, in words."""
    if "diagnosis" not in facts:
        return "not recorded"
    found = [f"- {escape_text(one['sentence'])}. To try: {escape_text(one['advice'])}" for one in facts["diagnosis"]]
    return "\n".join(found) or "Nothing was found."


def _spell(name: str) -> str:
    return name.replace("_", " ")
