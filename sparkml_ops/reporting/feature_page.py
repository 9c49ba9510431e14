"""The feature views -> their page, and the same figures as JSON. Pure: values in, text out."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from markupsafe import Markup

from sparkml_ops.reporting.page import SCHEMA_VERSION, load_template, to_plain
from sparkml_ops.reporting.trends import Point, draw_trend

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkml_ops.catalog import ColumnStatistics, ViewColumn, ViewStory


@dataclass(frozen=True)
class FeatureFacts:
    """What the page tells: the views of a use case, as of an instant (UTC)."""

    use_case: str
    description: str
    environment: str
    written_at: datetime
    stories: "tuple[ViewStory, ...]"


def render_features_html(facts: FeatureFacts) -> str:
    """The page: one file without script or anything to load."""
    return load_template("features.html").render(
        facts=facts,
        trends={story.entry.view: _draw_trends(story) for story in facts.stories},
        tell_top=_tell_top,
    )


def render_features_json(facts: FeatureFacts) -> str:
    """The same for machines: instants in ISO 8601, null for what is not known or not finite."""
    document = {"schema_version": SCHEMA_VERSION, "facts": facts}
    return json.dumps(to_plain(document), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _draw_trends(story: "ViewStory") -> dict[str, Markup | None]:
    return {column.name: _draw_column(f"{story.entry.view}-{at}", column) for at, column in enumerate(story.columns)}


def _draw_column(name: str, column: "ViewColumn") -> Markup | None:
    """The mean over time, between p05 and p95; of what has no mean the share of nulls. Nothing of fewer than two versions."""
    oldest_first = column.statistics[::-1]
    has_mean = any("mean" in one.figures for one in oldest_first)
    points = _list_points(oldest_first, "mean" if has_mean else "nulls")
    if len(points) < 2:  # noqa: PLR2004  # one point is no course
        return None
    return draw_trend(name, points, title=f"{column.name}: {'mean, p05 to p95' if has_mean else 'share of nulls'}")


def _list_points(statistics: "Sequence[ColumnStatistics]", figure: str) -> list[Point]:
    spread = figure == "mean"
    return [
        Point(
            f"v{one.version}",
            one.figures[figure],
            one.figures.get("p05") if spread else None,
            one.figures.get("p95") if spread else None,
        )
        for one in statistics
        if figure in one.figures
    ]


def _tell_top(column: "ViewColumn") -> str:
    """The most frequent values of a text, each with its share of the rows that were measured."""
    if not column.statistics or not column.statistics[0].top:
        return ""
    one = column.statistics[0]
    return ", ".join(f"{value} {count / max(one.rows, 1):.0%}" for value, count in one.top[:3])
