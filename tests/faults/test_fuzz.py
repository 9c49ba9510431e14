"""Hundreds of files that nobody would write, and what comes of them: rows in = clean + quarantined, no text lost or bent.

What a file must give is counted by an oracle of a few lines that shares nothing with the readers.
"""

import csv
import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from bad_shop import shop
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.ingestion import express, ingest, judge
from sparkml_ops.lake import Lake, read_table

pytestmark = pytest.mark.slow

FILES = int(
    os.environ.get("SPARKML_OPS_TEST_FILES", "300")
)  # of each kind, in one batch: a job of Spark per file would take hours
HEADERS = ("id,amount,day", "day,id,amount", '"id",amount,day,x y', "amount,id,day,more,_own")
ENDS = st.sampled_from(["\n", "\r\n"])
VALUES = st.one_of(
    st.sampled_from(["", "NA", "1", "-1", "1e400", "NaN", "2026-01-01", "2026-02-30", '""', '"', "a,b", '"a,b"', " ", "\t", "\0", "{", "[", "\\"]),
    st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=6),
)  # fmt: skip
ROWS = st.one_of(
    st.tuples(st.integers(0, 10**9), st.integers(0, 120)).map(lambda pair: f"{pair[0]},{pair[1]},2026-01-01"),
    st.lists(VALUES, max_size=5).map(",".join),
)


@st.composite
def csv_files(draw: st.DrawFn) -> bytes:
    """A sound header and whatever rows; bytes that are no text, a byte order mark and a cut are put in at the end."""
    end = draw(ENDS)
    header, rows = draw(st.sampled_from(HEADERS)), draw(st.lists(ROWS, max_size=6))
    if draw(st.booleans()):
        rows = rows + rows[:1] + [header]
    content = end.join(rows).encode()
    content = draw(
        st.sampled_from([content, content + end.encode(), content[: len(content) // 2], content + b"\xff\xfe"])
    )
    return draw(st.sampled_from([b"", b"\xef\xbb\xbf"])) + f"{header}{end}".encode() + content


OBJECTS = st.one_of(
    st.integers(0, 10**9).map(lambda key: {"id": str(key), "amount": 1, "day": "2026-01-01"}),
    st.dictionaries(st.text(max_size=3), st.one_of(st.none(), st.integers(), st.text(max_size=4), st.lists(st.booleans(), max_size=2)), max_size=3),
)  # fmt: skip
BITS = st.sampled_from(
    [" ", "{", "}", "[", "]", ",", '"', "\\", "null", '{"id": 1}', "\x00", "\t", "e\u0301", "\u2028"]
)


@st.composite
def json_lines(draw: st.DrawFn) -> bytes:
    sound = OBJECTS.map(json.dumps)
    torn = st.tuples(sound, st.integers(0, 40)).map(lambda pair: pair[0][: pair[1]])
    bits = st.lists(BITS, max_size=5).map("".join)
    return draw(ENDS).join(draw(st.lists(st.one_of(sound, torn, bits), min_size=1, max_size=6))).encode()


@st.composite
def json_values(draw: st.DrawFn) -> bytes:
    """Sound JSON in one of its forms; what is not sound is tried byte by byte in test_splitters.py."""
    objects, indent = draw(st.lists(OBJECTS, max_size=5)), draw(st.sampled_from([None, 0, 2]))
    if draw(st.booleans()):
        return json.dumps(objects, indent=indent).encode()
    return draw(st.sampled_from(["", "\n", " \r\n"])).join(json.dumps(one, indent=indent) for one in objects).encode()


@st.composite
def csv_over_lines(draw: st.DrawFn) -> bytes:
    """Written by Python's own writer, so that its own reader is the oracle."""
    from io import StringIO

    text = StringIO()
    writer = csv.writer(text, lineterminator="\r\n", quoting=draw(st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])))
    writer.writerow(["id", "amount", "day"])
    cell = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
    sound = cell.map(lambda key: [f"{key}\n{key}", "1", "2026-01-01"])
    writer.writerows(draw(st.lists(st.one_of(sound, st.lists(cell, min_size=2, max_size=4)), max_size=5)))
    return text.getvalue().encode()


def count_csv(content: bytes) -> Counter[str]:
    text = content.decode("utf-8", errors="replace").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    header, *rows = text.split("\n")
    return Counter(row for row in rows if row.strip(" ") and row not in {header, "\ufeff" + header})


def count_json_lines(content: bytes) -> Counter[str]:
    return Counter(line for line in content.decode().replace("\r\n", "\n").split("\n") if line.strip(" "))


def count_json_values(content: bytes) -> Counter[str]:
    text, found = content.decode(), Counter[str]()
    if text.startswith("["):
        return Counter(json.dumps(one, sort_keys=True) for one in json.loads(text))
    decoder, at = json.JSONDecoder(), 0
    while text[at:].strip():
        at += len(text[at:]) - len(text[at:].lstrip())
        value, at = decoder.raw_decode(text, at)
        found[json.dumps(value, sort_keys=True)] += 1
    return found


def count_csv_over_lines(content: bytes) -> Counter[str]:
    from io import StringIO

    _, *rows = csv.reader(StringIO(content.decode(), newline=""))
    return Counter(map(json.dumps, rows))


def as_it_came(raw: str) -> str:
    return raw


def as_value(raw: str) -> str:
    return json.dumps(json.loads(raw), sort_keys=True)


def as_cells(raw: str) -> str:
    from io import StringIO

    return json.dumps(next(csv.reader(StringIO(raw, newline=""))))


KINDS: dict[str, tuple[Any, dict[str, Any], Callable[[bytes], Counter[str]], Callable[[str], str]]] = {
    "csv": (csv_files(), {"new_columns": "ignore"}, count_csv, as_it_came),
    "json": (json_lines(), {"format": "json"}, count_json_lines, as_it_came),
    "json over lines": (json_values(), {"format": "json", "multiline": True}, count_json_values, as_value),
    "csv over lines": (csv_over_lines(), {"multiline": True}, count_csv_over_lines, as_cells),
}


def generate(files: Any) -> list[bytes]:
    """The same contents in each run; a file of 0 bytes is refused at the door, so none is among them."""
    contents: list[bytes] = []

    @settings(
        max_examples=FILES, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(files)
    def collect(content: bytes) -> None:
        contents.append(content or b" ")

    collect()
    return contents + contents[: FILES - len(contents)]


@pytest.fixture
def lanes(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """By which way files are taken in."""

    def choose(lane: str) -> None:
        if lane == "express":
            monkeypatch.setattr(express, "LEAST_BYTES", 0)
            monkeypatch.setattr(express, "SAMPLE_BYTES", 1000)
            # Rows that are there twice make a batch go the long way; here all are to go by the lane.
            monkeypatch.setattr(judge, "has_keys_twice", lambda *_: False)

    return choose


@pytest.mark.parametrize(("kind", "lane"), [*[(kind, "long") for kind in KINDS], ("csv", "express")])
def test_every_row_is_in_one_of_the_tables(
    kind: str, lane: str, lanes: Callable[[str], None], lake: Lake, tmp_path: Path, environment: Environment
) -> None:
    files, options, count, told = KINDS[kind]
    lanes(lane)
    folder = tmp_path / "landing"
    folder.mkdir()
    contents = generate(files)
    assert len(contents) == FILES
    for at, content in enumerate(contents):
        (folder / f"{at:05}.txt").write_bytes(content)
    result = ingest(shop(folder, environment, **options), lake).sources[0]
    clean, refused = read_table(lake, "clean_orders"), read_table(lake, "quarantine_orders")
    # The clean rows have lost their text by design, so the oracle takes off what the quarantine shows and counts the rest.
    left: dict[str, Counter[str]] = {f"{at:05}.txt": count(content) for at, content in enumerate(contents)}
    rows_in = sum(map(Counter.total, left.values()))
    name = F.element_at(F.split("_source_file", "/"), -1).alias("name")
    for row in refused.select("raw", name).toLocalIterator():
        left[row["name"]][told(row["raw"])] -= 1
    of_clean = {row["name"]: row["count"] for row in clean.groupBy(name).count().collect()}
    wrong = {
        file: (contents[int(file[:5])], rest, of_clean.get(file, 0))
        for file, rest in left.items()
        if any(rows < 0 for rows in rest.values()) or rest.total() != of_clean.get(file, 0)
    }
    assert not wrong, min(wrong.values(), key=lambda found: len(found[0]))
    assert (result.rows_in, result.rows_clean + result.rows_quarantined) == (rows_in, rows_in)
    assert result.rows_clean > 0
    assert result.rows_quarantined > 0
    written = [pq.read_metadata(file).created_by for file in Path(lake.root, "clean_orders").glob("*.parquet")]
    assert any("parquet-cpp-arrow" in name for name in written) == (lane == "express")
