"""The page of the feature views is well formed, loads nothing, and shows whatever users write as text."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime

from reporting_facts import HOSTILE, parse_page

from sparkml_ops.catalog import ColumnStatistics, ModelUse, ViewColumn, ViewEntry, ViewStory
from sparkml_ops.reporting.feature_page import FeatureFacts, render_features_html, render_features_json
from sparkml_ops.reporting.trends import Point, draw_trend

AT = datetime(2024, 3, 1, 6, 30, tzinfo=UTC)
FIGURES = {"nulls": 0.25, "mean": 12.5, "p05": 1.0, "p50": 12.0, "p95": 30.0, "distinct": 1234.0}


def make_statistics(version: int, top: tuple[tuple[str, int], ...] = (), **figures: float) -> ColumnStatistics:
    return ColumnStatistics(version, AT, 100, figures or FIGURES, top)


def make_column(text: str = "amount", **changes: object) -> ViewColumn:
    column = ViewColumn(
        text, "double", text, text, (f"orders.{text}",), ("orders.raw_amount",), True, f"spending__{text}", (text,), True, (2, 1),
        (make_statistics(3, ((text, 50),)), make_statistics(2)),
    )  # fmt: skip
    return replace(column, **changes)  # type: ignore[arg-type]


def make_story(view: str = "spending", text: str = "what they paid", *columns: ViewColumn) -> ViewStory:
    entry = ViewEntry(
        view, text, text, ("customer",), ("orders",), ("amount",), "6h", True, "features_spending", 3, 1234567, AT, True, AT, 7200.0,
        (ModelUse(2, "ts-1", is_champion=True), ModelUse(1, "ts-1", is_champion=False)), True,
    )  # fmt: skip
    return ViewStory(
        entry, columns or (make_column(),), ("orders.customer",), (make_statistics(3, rows=1234567.0),), ("ts-1",)
    )


def make_facts(*stories: ViewStory, text: str = "") -> FeatureFacts:
    return FeatureFacts("shop", text, "local", AT, stories)


def test_the_page_tells_who_answers_how_new_what_it_holds_and_who_uses_it() -> None:
    text = parse_page(render_features_html(make_facts(make_story()))).text
    for told in (
        "Features of shop", "1,234,567 rows", "features_spending@v3", "2 h old", "2 (champion), 1", "25.0%", "12.5", "1,234", "amount 50%",
        "published predictions come from it", "orders.raw_amount", "spending__amount", "predictions_current", "1,234,567 (v3)",
    ):  # fmt: skip
        assert told in text, told


def test_the_page_is_well_formed_loads_nothing_and_links_to_itself_and_the_summary() -> None:
    html = render_features_html(make_facts(make_story(), make_story("visits")))
    page = parse_page(html)
    policy = next(attrs for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://|url\(|@import", html)
    ids = [str(attrs["id"]) for _, attrs in page.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    links = {str(attrs["href"]) for _, attrs in page.tags if "href" in attrs}
    assert links == {"summary.html", "experiments.html", "#spending", "#visits"}
    drawn = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert len(drawn) == 2
    assert all(name in ids for attrs in drawn for name in str(attrs["aria-labelledby"]).split())


def test_what_users_write_is_shown_as_text() -> None:
    page = parse_page(
        render_features_html(make_facts(make_story("spending", HOSTILE, make_column(HOSTILE)), text=HOSTILE))
    )
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert page.text.count("<script>alert") > 5


def test_what_is_not_there_is_said() -> None:
    entry = replace(
        make_story().entry, description=None, owner="", version=None, rows=None, built_at=None, is_current=None, newest_at=None, age_seconds=None, models=(), is_learned=False,
        is_published=False, ttl=None,
    )  # fmt: skip
    bare = ViewStory(
        entry, (make_column(statistics=(), is_learned=False, is_traced=False, models=(), type=None),), (), (), ()
    )
    text = parse_page(render_features_html(make_facts(bare))).text
    for told in (
        "never built",
        "nobody is named",
        "not learned from",
        "No figures yet: the next build records them.",
        "and what Python reads",
        "none yet",
    ):
        assert told in text, told
    assert parse_page(render_features_html(make_facts())).text


def test_a_course_is_drawn_of_two_versions_and_more() -> None:
    one = make_story("spending", "x", make_column(statistics=(make_statistics(1),)))
    assert "<svg" not in render_features_html(make_facts(one))
    texts = make_story(
        "spending",
        "x",
        make_column(statistics=(make_statistics(2, nulls=0.5, distinct=3), make_statistics(1, nulls=0.1, distinct=3))),
    )
    assert "share of nulls" in render_features_html(make_facts(texts))
    drawn = draw_trend("t", [Point("v1", 1.0, 0.0, 2.0), Point("v2", 1.0, 1.0, 1.0)], title="a < b")
    assert "v1: 1.00 [0, 2.00]; v2: 1.00 [1.00, 1.00]" in drawn
    assert "a &lt; b" in drawn
    assert "nan" not in draw_trend("t", [Point("v1", 5.0), Point("v2", 5.0)], title="the same")


def test_json_has_the_figures_of_the_page() -> None:
    found = json.loads(render_features_json(make_facts(make_story())))
    (story,) = found["facts"]["stories"]
    assert (found["schema_version"], story["entry"]["rows"], story["columns"][0]["reads"]) == (
        1,
        1234567,
        ["orders.amount"],
    )
    assert story["columns"][0]["statistics"][0]["figures"]["mean"] == 12.5
