"""Plots are well-formed SVG, stay inside their frame and say what they show."""

import xml.etree.ElementTree as ET

import pytest
from markupsafe import Markup
from reporting_facts import HOSTILE

from sparkml_ops.reporting.axes import WIDTH, Scale, fit_range, format_tick, list_ticks
from sparkml_ops.reporting.curves import draw_calibration, draw_days, draw_shares
from sparkml_ops.reporting.dependence import draw_dependence
from sparkml_ops.reporting.facts import CalibrationPoint, DayFacts
from sparkml_ops.reporting.insight import DependencePoint
from sparkml_ops.reporting.plots import CUT_AT_LIMITS, Mark, draw_bars, draw_intervals

TENTHS = [DependencePoint("range", f"up to {at}", 50, float(at) ** 5, at - 4.5) for at in range(10)]
MISSING = DependencePoint("missing", "missing", 9, None, 6.0)
LEVELS = [DependencePoint("level", "a level with quite a long name", 90 - at, None, 0.2 * at - 0.9) for at in range(20)]

PLOTS = {
    "dependence": draw_dependence("a", [*TENTHS, MISSING], title="t"),
    "one tenth": draw_dependence("a", TENTHS[:1], title="t"),
    "levels": draw_dependence("a", [MISSING, *LEVELS], title="t"),
    "one level": draw_dependence("a", [DependencePoint("level", "x", 1, None, 0.0)], title="t"),
    "intervals": draw_intervals("a", [Mark("x", 0.7, 0.6, 0.8), Mark("y", 0.5, is_main=False)], title="t", limit=0.65),
    "one value": draw_intervals("a", [Mark("x", 0.0)], title="t"),
    "bars": draw_bars("a", [Mark("x", 3.0), Mark("y", 0.1)], title="t", limit=0.2),
    "empty bars": draw_bars("a", [Mark("x", 0.0)], title="t"),
    "calibration": draw_calibration("a", [CalibrationPoint(9, 0.1, 0.0), CalibrationPoint(9, 0.9, 1.0)], title="t"),
    "shares": draw_shares("a", [0.1] * 20, reference=[0.0] * 19 + [1.0], title="t"),
    "days": draw_days("a", [DayFacts("2024-02-01", 1, 0.1, 0.3), DayFacts("2024-02-09", 1, 0.2)], title="t"),
    "one day": draw_days("a", [DayFacts("2024-02-01", 1, 0.0)], title="t"),
}


def read_svg(plot: Markup) -> ET.Element:
    return ET.fromstring(str(plot))


@pytest.mark.parametrize("name", PLOTS)
def test_plot_is_well_formed_and_accessible(name: str) -> None:
    svg = read_svg(PLOTS[name])
    assert svg.attrib["role"] == "img"
    assert [child.tag for child in svg[:2]] == ["title", "desc"]
    assert svg[1].text
    assert svg.attrib["aria-labelledby"].split() == [child.attrib["id"] for child in svg[:2]]


@pytest.mark.parametrize("name", PLOTS)
def test_plot_stays_inside_its_frame(name: str) -> None:
    svg = read_svg(PLOTS[name])
    height = float(svg.attrib["viewBox"].split()[3])
    for part in svg.iter():
        for key, most in {
            "x": WIDTH,
            "x1": WIDTH,
            "x2": WIDTH,
            "cx": WIDTH,
            "y": height,
            "y1": height,
            "y2": height,
            "cy": height,
        }.items():
            assert 0 <= float(part.attrib.get(key, 0)) <= most, (part.tag, part.attrib)
        assert float(part.attrib.get("width", 0)) >= 0


def test_names_are_escaped() -> None:
    svg = read_svg(draw_bars("a", [Mark(HOSTILE, 1.0)], title=HOSTILE))
    assert not list(svg.iter("script"))
    assert svg[0].text == HOSTILE


def test_what_is_past_the_limit_has_a_sign_and_a_cut() -> None:
    svg = read_svg(
        draw_bars(
            "a", [Mark("far", 0.2 * CUT_AT_LIMITS + 1), Mark("near", 0.25), Mark("at", 0.2)], title="t", limit=0.2
        )
    )
    signed = [part.text for part in svg.iter("text") if part.text and part.text.startswith("▲")]
    assert signed == ["▲ 2.00", "▲ 0.250"]
    assert len([part for part in svg.iter("line") if part.attrib["class"] == "gap"]) == 2


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.25, 0.5, 0.75, 1]),
        (0.48, 0.81, [0.5, 0.6, 0.7, 0.8]),
        (0, 37, [0, 10, 20, 30]),
        (-0.013, 0.011, [-0.01, 0, 0.01]),
    ],
)
def test_ticks_are_round(low: float, high: float, ticks: list[float]) -> None:
    assert list_ticks(low, high) == ticks


def test_scale_keeps_values_inside() -> None:
    scale = Scale(0, 10, 100, 200)
    assert (scale(0), scale(5), scale(99), scale(-1)) == (100, 150, 200, 100)


def test_range_is_never_empty() -> None:
    low, high = fit_range([0.5, 0.5, float("nan")])
    assert low < 0.5 < high
    assert fit_range([])[0] < fit_range([])[1]


def test_tick_labels() -> None:
    assert [format_tick(value) for value in (0.5, 20.0, 0.25, 0.0, 1000.0)] == ["0.5", "20", "0.25", "0", "1,000"]
