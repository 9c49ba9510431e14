"""Facts and verdicts -> the page, and the same figures as JSON. Pure: values in, text out."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from sparkml_ops.reporting import formats
from sparkml_ops.reporting.advice import StageVerdict
from sparkml_ops.reporting.facts import COMPARED_METRICS, Facts
from sparkml_ops.reporting.figures import METRIC_NAMES, draw_page_plots
from sparkml_ops.reporting.importance import plot_dependence, plot_importance
from sparkml_ops.reporting.verdicts import summarise

SCHEMA_VERSION = 1
STAGE_NAMES = {
    "ingestion": "Ingestion",
    "training_set": "Training set",
    "model": "Model",
    "promotion": "Promotion",
    "scoring": "Scoring",
    "monitoring": "Monitoring",
}
STATUS_WORDS = {"ok": "OK", "attention": "ATTENTION", "no_data": "NO DATA"}


def render_html(facts: Facts, verdicts: Sequence[StageVerdict]) -> str:
    """The page: one file without script or anything to load."""
    status, headline = summarise(verdicts)
    plots = draw_page_plots(facts)
    return load_template("summary.html").render(
        facts=facts,
        verdicts=verdicts,
        status=status,
        headline=headline,
        plots=plots | {"importance": plot_importance(facts, otherwise=plots["weights"])},
        dependence=plot_dependence(facts),
        stage_names=STAGE_NAMES,
        status_words=STATUS_WORDS,
        metric_names=METRIC_NAMES,
        compared=COMPARED_METRICS[facts.task],
    )


def render_json(facts: Facts, verdicts: Sequence[StageVerdict]) -> str:
    """The same figures for machines: instants in ISO 8601, null for what is not known or not finite."""
    status, headline = summarise(verdicts)
    document = {
        "schema_version": SCHEMA_VERSION,
        "status": status,
        "headline": headline,
        "verdicts": verdicts,
        "facts": facts,
    }
    return json.dumps(to_plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


@cache
def load_template(name: str) -> Template:
    """A page's template, with the formats of all pages."""
    loader = PackageLoader("sparkml_ops.reporting", "")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for kind in ("age", "bytes", "count", "figure", "share", "instant", "seconds", "number_of"):
        environment.filters[kind] = getattr(formats, f"format_{kind}")
    environment.globals.update(format_interval=formats.format_interval, shorten=formats.shorten)
    return environment.get_template(name)


def to_plain(value: Any) -> Any:
    """Values as JSON knows them."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(part) for part in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
