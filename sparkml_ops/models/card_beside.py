"""Slices, business figures, the champion and the speed of scoring, on a version's card."""

from collections.abc import Mapping
from typing import Any

from sparkml_ops.models.card_figures import show_figure
from sparkml_ops.models.markdown import NONE, escape_text, make_table, quote_cell, quote_code
from sparkml_ops.models.slice_figures import FALSE_DISCOVERIES
from sparkml_ops.models.slices import MAX_VALUES

_SHOWN_SLICES = 20


def tell_champion(facts: Mapping[str, Any]) -> str:
    """Which version the column `champion` is of, and what must be known of it; nothing where there was none."""
    champion = facts.get("champion")
    if champion is None:
        return ""
    note = f": {escape_text(champion['note'])}" if champion["note"] else ""
    return f"\n\nThe champion was version {champion['version']} when this one was trained{note}."


def tell_kpis(facts: Mapping[str, Any]) -> str:
    """The business figures of all models, and what they are."""
    kpis = facts.get("kpis", {})
    if not kpis:
        return "none is declared" if "kpis" in facts else "not recorded"
    models = list(next(iter(kpis.values()))["figures"])
    rows = [
        [quote_cell(name), kpi["better"], *(show_figure(kpi["figures"].get(model)) for model in models)]
        for name, kpi in kpis.items()
    ]
    table = make_table([("figure", "left"), ("better", "left"), *((escape_text(one), "right") for one in models)], rows)
    told = "\n".join(f"- {quote_code(name)}: {_tell_kpi(kpi)}" for name, kpi in kpis.items())
    return f"On the part test, with intervals of 95 % by whole days.\n\n{table}\n\n{told}"


def tell_slices(facts: Mapping[str, Any]) -> str:
    """The candidate on slices of the test rows: those on which it is worst come first."""
    slices = facts.get("slices", ())
    if not slices:
        return "no slice was judged" if "slices" in facts else "not recorded"
    ranked = sorted(slices, key=lambda one: (not one["is_worse"], _rank(one)))
    rows = [
        [
            quote_cell(one["name"]),
            f"{one['rows']:,}",
            *([] if one["positives"] is None else [f"{one['positives']:,}"]),
            show_figure(one["figure"]),
            show_figure(one["difference"]),
            NONE if one["corrected"] is None else f"{one['corrected']:.3f}",
            "worse" if one["is_worse"] else "",
        ]
        for one in ranked[:_SHOWN_SLICES]
    ]
    counted = [] if slices[0]["positives"] is None else [("positives", "right")]
    figure = facts.get("sliced_by", facts.get("metric", "figure"))
    columns = [("slice", "left"), ("rows", "right"), *counted, (escape_text(figure), "right"), ("against all other rows", "right"), ("corrected p", "right"), ("", "left")]  # fmt: skip
    more = len(slices) - len(rows)
    rest = f"\n\nAnd {more} more, in the table `metrics`." if more else ""
    return f"{_explain(len(slices))}\n\n{make_table(columns, rows)}{rest}"  # type: ignore[arg-type]


def tell_scoring(facts: Mapping[str, Any]) -> str:
    """How fast it answers, and with how much memory."""
    found = facts.get("scoring")
    if found is None:
        return "not recorded"
    lines = {
        "Rows per second and core": _show(found["rows_per_second_per_core"], ""),
        "Rows per second, all cores, with Spark's own work": _show(found["rows_per_second"], ""),
        "Most memory of a Python worker": _show(found["peak_mb"], " MB"),
        "Size of the package": f"{found['package_bytes']:,} bytes",
        "Measured": f"once, on {found['rows']:,} rows, {found['cores']} tasks at a time; {escape_text(found['machine'])}",
    }
    return "\n".join(f"- **{name}:** {text}" for name, text in lines.items())


def _explain(slices: int) -> str:
    return (
        f"On the part test, {slices} slices, with intervals of 95 % by whole days. Of a column its {MAX_VALUES} most frequent values are slices, "
        "and all others together. p is the chance of such a difference if there were none, corrected for the number of slices (Benjamini and "
        f"Hochberg 1995): of those that are called worse, {FALSE_DISCOVERIES:.0%} may be so by chance."
    )


def _rank(one: Mapping[str, Any]) -> float:
    return 1.0 if one["corrected"] is None else one["corrected"]


def _show(value: float | None, unit: str) -> str:
    return NONE if value is None else f"{value:,.0f}{unit}"


def _tell_kpi(kpi: Mapping[str, Any]) -> str:
    said = f"{escape_text(kpi['description'])}; " if kpi["description"] else ""
    per = "the number of rows" if kpi["per"] == "1" else f"the sum of {quote_code(kpi['per'])}"
    return f"{said}the sum of {quote_code(kpi['value'])}, divided by {per}"
