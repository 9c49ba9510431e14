"""FEATURES.md is what the feature store means, and these are its examples: each is built, looked up and compared."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from shop import make_use_case

from sparkml_ops.config.features import FeatureView
from sparkml_ops.features import ViewRows, join_point_in_time
from sparkml_ops.features.compute import compute_features, restate_windows
from sparkml_ops.lake import open_lake

PAGE = Path(__file__).parents[2] / "FEATURES.md"
DAY = datetime(2024, 3, 1, tzinfo=UTC)
TYPES = {"customer": "string", "at": "timestamp", "came_at": "timestamp", "money": "double", "town": "string"}


@dataclass(frozen=True)
class Example:
    """A heading with a view, its events, and what moments of it see."""

    name: str
    view: dict
    events: list[dict[str, str]]
    moments: list[dict[str, str]]


def read_examples():
    parts = re.split(r"^(?=#)", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    sections = [part.removeprefix("### ") for part in parts if part.startswith("### ")]
    examples = []
    for section in sections:
        found = re.search(r"```yaml\n(.*?)```", section, flags=re.DOTALL)
        assert found, f"{section.splitlines()[0]} has no view"
        events, moments = [read_table(text) for text in re.findall(r"(?:^\|.*\n?)+", section, flags=re.MULTILINE)]
        examples.append(
            Example(section.splitlines()[0], yaml.safe_load(found[1].replace("12:30", "'12:30'")), events, moments)
        )
    return examples


def read_table(text):
    header, _, *rows = [[cell.strip() for cell in line.strip("|\n ").split("|")] for line in text.strip().splitlines()]
    return [dict(zip(header, row, strict=True)) for row in rows]


def to_value(text, kind):
    if text == "null":
        return None
    if kind == "timestamp":
        return to_instant(text)
    return float(text) if kind == "double" else text


def to_instant(text):
    date, _, clock = text.rpartition(" ")
    hours, minutes, *seconds = clock.split(":")
    day = datetime.fromisoformat(date).replace(tzinfo=UTC) if date else DAY
    return day + timedelta(hours=int(hours), minutes=int(minutes), microseconds=round(float(*seconds or [0]) * 1e6))


def same(found, text):
    if text == "null" or found is None:
        return (found is None) == (text == "null")
    return found == text if isinstance(found, str) else float(found) == float(text)


@pytest.fixture(scope="module")
def lake(spark, tmp_path_factory):
    return open_lake(make_use_case(tmp_path_factory.mktemp("page")), spark)


@pytest.mark.parametrize("example", read_examples(), ids=lambda example: example.name)
def test_example(lake, example):
    as_known_at = example.view.pop("as_known_at", None)
    view = FeatureView.model_validate(example.view)
    columns = list(example.events[0])
    values = [tuple(to_value(row[name], TYPES[name]) for name in columns) for row in example.events]
    events = lake.spark.createDataFrame(values, ", ".join(f"{name} {TYPES[name]}" for name in columns))
    known_at = None if as_known_at is None else to_instant(as_known_at)
    if known_at is not None and view.aggregates:
        table = restate_windows(events, view, name="v", as_known_at=known_at)
    else:
        table = compute_features(events, view, name="v")
    asked = [(n, to_value(row["moment of"], "string"), to_instant(row["at"])) for n, row in enumerate(example.moments)]
    rows = ViewRows(
        "v",
        ("customer",),
        tuple(view.column_names()),
        table,
        None if view.timestamp is None else view.time_to_live(),
        view.zero_when_missing(),
    )
    joined = join_point_in_time(
        lake.spark.createDataFrame(asked, "id int, customer string, at timestamp"),
        [rows],
        timestamp="at",
        as_known_at=known_at,
    )
    found = {row["id"]: row.asDict() for row in joined.collect()}
    features = [name for name in example.moments[0] if name not in {"moment of", "at"}]
    wrong = [
        (row, {name: found[n][f"v__{name}"] for name in features})
        for n, row in enumerate(example.moments)
        if not all(same(found[n][f"v__{name}"], row[name]) for name in features)
    ]
    assert len(found) == len(example.moments)
    assert wrong == []


def test_the_page_has_its_examples():
    names = [example.name for example in read_examples()]
    assert len(names) == len(set(names)) >= 11
