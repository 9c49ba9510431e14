"""How good a version is, on its card: figures with intervals, calibration, and the limits that follow from what is recorded."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparkml_ops.config.tasks import HIGHER_IS_BETTER
from sparkml_ops.models.markdown import NONE, escape_text, make_table, quote_cell, quote_code

_BASELINES = {"linear": "a linear model", "trivial": "the base rate"}
_TRIVIAL = {"regression": "the mean of the labels", "multiclass": "the shares of the classes"}
_OBSERVED = {"regression": "mean label", "multiclass": "share of rows that are of it"}


def tell_figures(facts: Mapping[str, Any]) -> str:
    """Candidate, linear and trivial model on the same rows, each figure with its interval of 95 %."""
    figures, judged = facts.get("figures", {}), facts.get("judged_on", {})
    if not figures:
        return "not recorded"
    metrics = list(dict.fromkeys(metric for of_one in figures.values() for metric in of_one))
    rows = [
        [quote_cell(metric), *(show_figure(of_one.get(metric)) for of_one in figures.values())] for metric in metrics
    ]
    columns = make_table([("metric", "left"), *((escape_text(name), "right") for name in figures)], rows)
    return f"On {_count(judged, 'rows')} of the part test, with {_tell_labels(facts)}, of {_count(judged, 'days')}. In brackets intervals of 95 %, by whole days.\n\n{columns}"


def tell_calibration(facts: Mapping[str, Any]) -> str:
    """What was predicted beside what came, by tenths of the test rows; of several classes of the most probable one."""
    groups = facts.get("calibration", [])
    if not groups:
        return "not recorded"
    rows = [
        [str(at), f"{group['rows']:,}", f"{group['predicted']:.4f}", f"{group['observed']:.4f}"]
        for at, group in enumerate(groups, start=1)
    ]
    return make_table(
        [("group", "right"), ("rows", "right"), ("mean prediction", "right"), (_name_observed(facts), "right")], rows
    )


def tell_known_limits(facts: Mapping[str, Any]) -> str:
    """What follows from the facts that are recorded, as a list."""
    found = list(_find_limits(facts))
    told = "\n".join(f"- {limit}" for limit in found)
    return f"From what is recorded:\n\n{told}" if found else "From what is recorded none follows."


def _find_limits(facts: Mapping[str, Any]) -> Iterator[str]:
    judged, search = facts.get("judged_on", {}), facts.get("search", {})
    if judged.get("reason"):
        yield escape_text(f"Figures or intervals are missing: {judged['reason']}")
    figures = facts.get("figures", {})
    for name, words in _BASELINES.items():
        metric = facts.get("metric", "")
        candidate, baseline = (figures.get(one, {}).get(metric) for one in ("candidate", name))
        if candidate and baseline and not _is_better(metric, candidate["value"], baseline["value"]):
            trivial = _TRIVIAL.get(facts.get("task", "binary"), words)
            base = trivial if name == "trivial" else words
            yield f"By {quote_code(metric)} it is no better than {base}."
    if search.get("failed"):
        yield f"{search['failed']} of {search['trials']} trials failed."
    if search.get("trials", 0) < search.get("max_trials", 0):
        yield f"The search ended early, after {search['trials']} of at most {search['max_trials']} trials."
    if facts.get("left_out"):
        yield f"Columns of the training set that are no part of it: {len(facts['left_out'])}; see below."
    if facts.get("class_weight"):
        yield "Classes were weighed, so that its answers are no shares to expect; see the calibration."


def _tell_labels(facts: Mapping[str, Any]) -> str:
    judged = facts.get("judged_on", {})
    if "classes" in judged:
        return f"{judged['classes']} classes"
    if "label_mean" not in judged:
        return _count(judged, "positives")
    zeros = f"; {judged['label_zero']:,} of them are 0, of which `mape` says nothing" if judged["label_zero"] else ""
    return f"labels of {judged['label_mean']:.6g} on average and a standard deviation of {judged['label_stddev']:.6g}{zeros}"


def _name_observed(facts: Mapping[str, Any]) -> str:
    return _OBSERVED.get(facts.get("task", "binary"), "share of positives")


def _is_better(metric: str, candidate: float | None, baseline: float | None) -> bool:
    if candidate is None or baseline is None:
        return True  # nothing that could be told
    return candidate > baseline if metric in HIGHER_IS_BETTER else candidate < baseline


def show_figure(figure: Mapping[str, float | None] | None) -> str:
    """A value with its interval, where it has them."""
    value, lower, upper = ((figure or {}).get(part) for part in ("value", "lower", "upper"))
    if value is None:
        return NONE
    if lower is None or upper is None:
        return f"{value:.4f}"
    return f"{value:.4f} ({lower:.4f} to {upper:.4f})"


def _count(judged: Mapping[str, Any], what: str) -> str:
    return f"{judged[what]:,} {what}" if what in judged else f"a number of {what} that is not recorded"
