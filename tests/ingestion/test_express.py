"""The express lane gives what the long way gives: the same rows, the same refusals on the same lines, the same figures."""

import gzip
import json
import logging
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ContractError
from sparkml_ops.ingestion import SourceResult, express, ingest, judge
from sparkml_ops.ingestion.counts import BatchCounts
from sparkml_ops.ingestion.express_counts import join_counts
from sparkml_ops.ingestion.readers.blocks import cut_pieces, read_blocks
from sparkml_ops.ingestion.readers.plain import Layout, split_plain
from sparkml_ops.lake import METRICS, Lake, adopt, read_table
from tests.ingestion.test_one_pass import count_text_scans, next_execution, plans_since
from tests.one_source import describe_shop

# Values as people write them, and as they should not.
TEXTS = {
    "i": "0 1 -1 +1 007 -0 2147483647 2147483648 -2147483648 99999999999 0x1A 0X1a 1.0 1.9 1e3 NA nan null - 1_000 ١٢ 12a a12 ''",
    "l": "0 5 -5 +5 9223372036854775807 9223372036854775808 -9223372036854775808 0xFF 1L 1l 1.5 ٣ NULL 1e2 00 --1",
    "d": "0 -0 0.0 -0.0 1 1. .5 5e-1 1E5 1e400 -1e400 4.9e-324 1e-400 NaN nan inf Infinity -inf -Infinity +1.5 1d 1f 0x1p3 1,5 0.1 "
    "0.30000000000000004 123456789012345678901234567890 1e 1e+ 1_0 ٠.٥",
    "b": "true false TRUE False t f T F y n yes no Yes 1 0 2 on off tRuE null",
    "day": "2024-02-29 2023-02-29 2024-02-30 2024-1-1 2024-01-1 0000-01-01 0001-01-01 9999-12-31 10000-01-01 1582-10-10 2024 2024-02 "
    "20240229 2024/02/29 2024-02-29T 2024-02-29x -2024-01-01 +2024-01-01 1500-01-01 2024-13-01 2024-00-10 2024-06-31",
    "at": "2024-02-29T12:34:56 2024-02-29T12:34:56Z 2024-02-29T12:34:56.1 2024-02-29T12:34:56.123 2024-02-29T12:34:56.123456 "
    "2024-02-29T12:34:56.1234567 2024-02-29T24:00:00 2024-02-29T23:59:60 2024-02-29T12:34 2024-02-29T12:34+01 2024-02-29T12:34:56+01:00 "
    "2024-02-29 1969-12-31T23:59:59.999999 0001-01-01T00:00:00 1500-01-01T00:00:00 1677-01-01T00:00:00 2262-01-01T00:00:00 "
    "9999-12-31T23:59:59.999999 2023-02-29T00:00:00 2024-02-29T1:2:3 now today epoch 1709210096 T12:34:56",
    "s": "plain Ünïcödé 日本 🙂 NA na 'quoted' a'b back\\slash {} [] # // -- ; | ~ \x7f é́ x" + "y" * 40,
    "m": "12.5 1 -3 1e2 12.345 123456789.12 .5 0x1 NA '' 1,000 +7",
    "f": "29/02/2024 2024-02-29 1/1/2024 31/12/1999 x 30/02/2024",
}
SPACED = [
    "2024-02-29 12:34:56",
    " 7",
    "7 ",
    " true ",
    "2024-02-29 ",
    " 2024-02-29 12:34:56",
    "1 000",
    "\t5",
    "5\t",
    "x y",
]
GOOD = {"i": "3", "l": "4", "d": "1.5", "b": "true", "day": "2024-05-06", "at": "2024-05-06 07:08:09", "s": "ok", "m": "1.25", "f": "01/02/2024"}  # fmt: skip
FOR_SPARK: dict[str, Any] = {"derive": {"twice": "try_multiply(l, 2)", "hour": "hour(at)"}}
"""What Arrow cannot tell, as it cannot a column with a `format`: rows are then written by Spark."""
COLUMNS: dict[str, dict[str, Any]] = {
    "id": {"type": "long"},
    "i": {"type": "int", "nullable": True, "between": [-1000, 3_000_000_000]},
    "l": {"type": "long", "nullable": True},
    "d": {"type": "double", "nullable": True, "between": [-1e9, 1e9]},
    "b": {"type": "boolean", "nullable": True},
    "day": {"type": "date"},
    "at": {"type": "timestamp", "nullable": True},
    "s": {"type": "string", "nullable": True, "length": [1, 30], "pii": True},
    "m": {"type": "decimal(10,2)", "nullable": True},
    "f": {"type": "date", "format": "d/M/yyyy", "nullable": True},
}
PLAIN = {name: rule for name, rule in COLUMNS.items() if "format" not in rule}
# Lines that are no plain rows, or none at all.
STRANGE = [
    "", "   ", ",,,,,,,,,", "1,2,3", '{id},"3",4,1.5,true,2024-05-06,,"a, b",1,01/02/2024', '{id},3,4,1.5,true,2024-05-06,,"a ""b""",1,01/02/2024',
    '{id},3,4,1.5,true,2024-05-06,,"open,1,01/02/2024', "{id},3,4,1.5,true,2024-05-06,,a\x00b,1,01/02/2024", "{id},3,4,1.5,true,2024-05-06,,,1,01/02/2024,more",
    "id,i,l,d,b,day,at,s,m,f", "\ufeffid,i,l,d,b,day,at,s,m,f",
]  # fmt: skip


def write_nasty(file: Path, names: list[str], *, first: int, seed: int) -> int:
    """A file in which each of the values stands once in each column, among good rows; returns the next id."""
    draw = random.Random(seed)
    rows: list[bytes] = []
    number = first
    for column in GOOD:
        for text in [*TEXTS[column].split(" "), *SPACED, *TEXTS["i"].split(" ")]:
            rows.append(
                ",".join({**GOOD, "id": str(number), column: text.replace(",", ";")}[name] for name in names).encode()
            )
            number += 1
    for line in STRANGE:
        rows.append(line.replace("{id}", str(number)).encode())
        number += 1
    rows.append(f"{number},3,4,1.5,true,2024-05-06,,".encode() + b"\xff\xfe,1,01/02/2024")
    rows += [",".join({**GOOD, "id": str(number + at)}[name] for name in names).encode() for at in range(1, 200)]
    draw.shuffle(rows)
    file.write_bytes(b"\n".join([",".join(names).encode(), *rows]) + b"\n")
    return number + 200


def describe(environment: Environment, landing: Path, **more: Any) -> UseCase:
    orders = {
        "path": f"{landing}/*.csv", "format": "csv", "key": ["id"], "columns": PLAIN, "new_columns": "ignore", "max_violation_ratio": 0.99,
        "freshness": {"of": "at", "within": "20000d"},
        "expect": ["i < 100", {"rule": "d <> 1.0", "on_violation": "warn"}],
    }  # fmt: skip
    return describe_shop(environment, orders={**orders, **more}, moment="at")


def list_rows(rows: DataFrame) -> list[str]:
    """All rows as text, in order, without what differs from one run to the next."""
    kept = [name for name in rows.columns if name not in {"_ingested_at", "_batch_id", "run_id", "recorded_at"}]
    return sorted(str(row) for row in rows.select(*kept).collect())


@dataclass(frozen=True)
class Both:
    """Two lakes that take in the same files, one by the express lane and one by the long way.

    `taken` has the rows of each batch that the express lane took in.
    """

    use_case: UseCase
    landing: Path
    express: Lake
    long: Lake
    taken: list[int] = field(default_factory=list)

    def ingest(self) -> tuple[SourceResult, SourceResult]:
        """Take in what is new."""
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(express, "LEAST_BYTES", 0)
            patched.setattr(express, "SAMPLE_BYTES", 4_000)
            patched.setattr(judge, "join_counts", self._join_counts)
            result = ingest(self.use_case, self.express, sources=["orders"]).sources[0]
            patched.setattr(express, "LEAST_BYTES", 10**18)
            return result, ingest(self.use_case, self.long, sources=["orders"]).sources[0]

    def tables(self, name: str) -> tuple[DataFrame, DataFrame]:
        """A table of each."""
        return read_table(self.express, name), read_table(self.long, name)

    def _join_counts(self, *arguments: Any) -> BatchCounts:
        counts = join_counts(*arguments)
        self.taken.append(counts.rows_in)
        return counts

    def has_its_files(self) -> bool:
        """Whether files of the clean table are those that the express lane wrote."""
        files = Path(self.express.root, "clean_orders").glob("*.parquet")
        return any("parquet-cpp-arrow" in pq.read_metadata(file).created_by for file in files)

    def log(self) -> list[dict[str, Any]]:
        """What the clean table's log says, line by line."""
        files = sorted(Path(self.express.root, "clean_orders", "_delta_log").glob("*.json"))
        return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def open_both(spark: SparkSession, root: Path, environment: Environment, **more: Any) -> Both:
    (root / "landing").mkdir()
    lakes = [Lake(spark, str(root / name), None, "shop", frozenset()) for name in ("express", "long")]
    return Both(describe(environment, root / "landing", **more), root / "landing", *lakes)


@pytest.fixture
def both(spark: SparkSession, tmp_path: Path, environment: Environment) -> Both:
    return open_both(spark, tmp_path, environment)


@dataclass(frozen=True)
class Ingested(Both):
    """The same, with a batch that both have taken in."""

    results: tuple[SourceResult, ...] = ()
    plans: list[str] = field(default_factory=list)


@pytest.fixture(scope="module", params=["files", "rows"])
def ingested(
    spark: SparkSession,
    tmp_path_factory: pytest.TempPathFactory,
    environment: Environment,
    request: pytest.FixtureRequest,
) -> Ingested:
    """Two files with their columns in another order each, read in many blocks; written by Arrow, and by Spark."""
    more = {"columns": COLUMNS, **FOR_SPARK} if request.param == "rows" else {}
    both = open_both(spark, tmp_path_factory.mktemp("both"), environment, **more)
    names = list(COLUMNS)
    following = write_nasty(both.landing / "a.csv", names, first=1, seed=1)
    write_nasty(both.landing / "b.csv", ["at", *[name for name in names if name != "at"]], first=following, seed=2)
    begun = next_execution(spark)
    spark.conf.set("spark.sql.files.maxPartitionBytes", "4k")
    try:
        results = both.ingest()
    finally:
        spark.conf.unset("spark.sql.files.maxPartitionBytes")
    return Ingested(**vars(both), results=results, plans=plans_since(spark, begun))


def test_both_ways_take_in_the_same_rows(ingested: Ingested) -> None:
    mine, theirs = ingested.results
    assert ingested.taken == [mine.rows_in]
    assert ingested.has_its_files() == ("twice" not in ingested.use_case.sources["orders"].derive)
    assert mine.rows_clean > 500
    assert mine.rows_quarantined > 500
    assert (mine.rows_in, mine.rows_clean, mine.rows_quarantined) == (
        theirs.rows_in,
        theirs.rows_clean,
        theirs.rows_quarantined,
    )
    assert mine.violations == theirs.violations
    clean, other = ingested.tables("clean_orders")
    assert clean.schema == other.schema
    assert list_rows(clean) == list_rows(other)


def test_both_ways_refuse_the_same_rows_on_the_same_lines(ingested: Ingested) -> None:
    mine, theirs = ingested.tables("quarantine_orders")
    assert list_rows(mine) == list_rows(theirs)


def test_both_ways_tell_the_same_figures(ingested: Ingested) -> None:
    told = "name IN ('nulls', 'min', 'max') OR scope = 'ingestion'"
    mine, theirs = (figures.where(told).select("subject", "name", "value") for figures in ingested.tables(METRICS))
    assert list_rows(mine) == list_rows(theirs)


def test_what_costs_more_is_told_of_a_sample(ingested: Ingested) -> None:
    found = (
        read_table(ingested.express, METRICS)
        .where("subject = 'orders.id' AND name IN ('p50', 'mean', 'distinct')")
        .collect()
    )
    details = [json.loads(row["details"]) for row in found]
    assert len(details) == 3
    assert all(1 < one["rows"] < ingested.results[0].rows_clean / 2 and one["one_in"] > 1 for one in details)


def test_text_is_read_once(ingested: Ingested) -> None:
    assert count_text_scans(ingested.plans) == 2  # by the long way, for each of the two headers
    assert sum(len(re.findall(r"^\(\d+\) MapInArrow", plan, re.MULTILINE)) for plan in ingested.plans) == 1


def test_values_of_a_personal_column_stay_out_of_the_log(ingested: Ingested) -> None:
    statistics = [json.loads(action["add"]["stats"]) for action in ingested.log() if "add" in action]
    assert statistics
    assert not any("s" in one["minValues"] or "s" in one["maxValues"] for one in statistics)
    assert any("id" in one["minValues"] and "at" in one["maxValues"] for one in statistics)


@pytest.mark.parametrize("name", ["id", "i", "l", "d", "day", "at", "m", "_source_file"])
def test_rows_are_found_by_the_bounds_of_their_files(ingested: Ingested, name: str) -> None:
    """What is skipped by the log is not asked for: the first and the last value of a column are found as they are without it."""
    rows = ingested.tables("clean_orders")[0]
    text, kind = F.col(name).cast("string"), dict(rows.dtypes)[name]
    bounds = rows.agg(F.min(name).cast("string").alias("least"), F.max(name).cast("string").alias("greatest")).first()
    assert bounds is not None
    for bound in bounds:
        assert rows.where(F.col(name) == F.lit(bound).cast(kind)).count() == rows.where(text == bound).count() > 0


def good_lines(numbers: Iterable[int], **values: str) -> list[str]:
    return [",".join({**GOOD, "id": str(number), **values}[name] for name in COLUMNS) for number in numbers]


HEADER = ",".join(COLUMNS)
LANDED = {
    "a carriage return [1] %20.csv": "\r".join([HEADER, *good_lines(range(100))]) + "\r",
    "b both.csv": "\r\n".join([HEADER, *good_lines(range(100, 200))]) + "\r\n",
    "c mixed.csv": "\r\n".join([HEADER, *good_lines(range(200, 250))])
    + "\n\n\r"
    + "\n".join(good_lines(range(250, 300))),
    "d marked.csv": "\ufeff" + "\n".join([HEADER, *good_lines(range(300, 400), s="Ü;🙂")]) + "\n",
    "e only a header.csv": HEADER + "\n",
    "f all broken.csv": "\n".join([HEADER, *good_lines(range(400, 450), i="-5000")]),
    "g no line at all.csv": HEADER,
    "h one row.csv": "\n".join([HEADER, *good_lines([450])]),
    "i all refused by an expression.csv": "\n".join([HEADER, *good_lines(range(451, 500), d="100")]) + "\n",
    "j another order.csv": "\n".join(
        ",".join(reversed(line.split(","))) for line in [HEADER, *good_lines(range(500, 600))]
    ),
    "k packed.csv.gz": "\n".join([HEADER, *good_lines(range(600, 900), s="")]) + "\n",
}


@pytest.mark.parametrize("expect", [[], ["d < 99"]])
@pytest.mark.parametrize("most_bytes", ["2k", "128m"])
def test_files_are_taken_in_as_they_are_written(both: Both, expect: list[str], most_bytes: str) -> None:
    """Line ends of all kinds, marks, packed and empty files; with a rule that Spark alone can tell and without, in many pieces and few."""
    for name, text in LANDED.items():
        content = text.encode()
        (both.landing / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    path = f"{both.landing}/*.csv*"
    loose = replace(both, use_case=describe(both.use_case.environment, both.landing, path=path, expect=expect))
    both.express.spark.conf.set("spark.sql.files.maxPartitionBytes", most_bytes)
    try:
        mine, theirs = loose.ingest()
    finally:
        both.express.spark.conf.unset("spark.sql.files.maxPartitionBytes")
    assert both.taken == [mine.rows_in]
    assert mine.rows_in == theirs.rows_in == 900
    assert mine.rows_clean == theirs.rows_clean == (801 if expect else 850)
    assert mine.violations == theirs.violations
    for table in ("clean_orders", "quarantine_orders"):
        rows, others = both.tables(table)
        assert list_rows(rows) == list_rows(others)


def test_keys_in_no_order_are_compared(both: Both) -> None:
    numbers = random.Random(4).sample(range(1000), 600)
    for name, part in (("a", numbers[:300]), ("b", numbers[300:])):
        (both.landing / f"{name}.csv").write_text("\n".join([HEADER, *good_lines(part)]) + "\n")
    mine, theirs = both.ingest()
    assert mine.rows_clean == theirs.rows_clean == 600
    assert both.has_its_files()


@pytest.mark.parametrize(
    ("numbers", "others"),
    [
        pytest.param([*range(300)], [*range(299, 500)], id="ascending, and apart but for one"),
        pytest.param([*range(300)], [7], id="among those that are not sure"),
        pytest.param([*range(200), *range(100, 200)], [1000], id="twice in a file"),
    ],
)
def test_keys_that_are_there_twice_are_found(both: Both, numbers: list[int], others: list[int]) -> None:
    for name, part in (("a", numbers), ("b", others)):
        (both.landing / f"{name}.csv").write_text("\n".join([HEADER, *good_lines(part)]) + "\n")
    mine, theirs = both.ingest()
    assert not both.has_its_files()
    assert mine.rows_quarantined > 0
    assert mine.violations == theirs.violations
    rows, same = both.tables("clean_orders")
    assert list_rows(rows) == list_rows(same)


def test_a_task_that_fails_leaves_it_to_the_long_way(both: Both, caplog: pytest.LogCaptureFixture) -> None:
    (both.landing / "a.csv").write_text("\n".join([HEADER, *good_lines(range(300))]) + "\n")
    packed = gzip.compress("\n".join([HEADER, *good_lines(range(300, 20_000))]).encode())
    (both.landing / "b.csv.gz").write_bytes(packed[:-2000])
    cut = replace(both, use_case=describe(both.use_case.environment, both.landing, path=f"{both.landing}/*"))
    with caplog.at_level(logging.INFO), pytest.raises(ContractError, match=r"b\.csv\.gz cannot be read"):
        cut.ingest()
    assert "goes the long way: a task failed: EOFError: " in caplog.text
    assert not list(Path(both.express.root, "_staging").glob("*"))


def test_a_derived_column_that_fails_refuses_the_batch(both: Both) -> None:
    (both.landing / "a.csv").write_text("\n".join([HEADER, *good_lines(range(300))]) + "\n")
    derived = replace(both, use_case=describe(both.use_case.environment, both.landing, derive={"x": "1 / (i - 3)"}))
    with pytest.raises(ContractError, match="an expression in `derive`, .* failed with DIVIDE_BY_ZERO"):
        derived.ingest()


@given(
    text=st.lists(st.sampled_from([b"", b"a", b"bc,d", b"\r", b"long " * 5, b'"q"']), max_size=12).map(b"\n".join),
    step=st.integers(1, 30),
    block_bytes=st.integers(1, 40),
)
def test_pieces_have_each_line_once(
    tmp_path_factory: pytest.TempPathFactory, text: bytes, step: int, block_bytes: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "pieces.csv"
    file.write_bytes(text)
    tasks = cut_pieces([(str(file), len(text), 0)], most_bytes=step)
    blocks = [block for task in tasks for piece in task for block in read_blocks(piece, block_bytes=block_bytes)]
    assert b"".join(blocks) == text
    assert all(block.endswith(b"\n") for block in blocks[:-1])


def test_small_files_are_read_together_and_packed_ones_whole() -> None:
    sizes = [("/a.csv", 25, 0), ("/b.csv.gz", 25, 0), ("/c.csv", 4, 1), ("/d.csv", 5, 1), ("/e.csv", 2, 1)]
    assert [[(one.path, one.start, one.end) for one in task] for task in cut_pieces(sizes, most_bytes=10)] == [
        [("/a.csv", 0, 10)],
        [("/a.csv", 10, 20)],
        [("/a.csv", 20, None)],
        [("/b.csv.gz", 0, None)],
        [("/c.csv", 0, None), ("/d.csv", 0, None)],
        [("/e.csv", 0, None)],
    ]


def test_doubled_keys_go_the_long_way(both: Both) -> None:
    rows = [",".join({**GOOD, "id": number}[name] for name in COLUMNS) for number in ("1", *map(str, range(300)))]
    (both.landing / "a.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    mine, theirs = both.ingest()
    assert not both.has_its_files()
    assert mine.violations == theirs.violations == (("key: id is there twice in the batch", 1),)
    quarantined, others = both.tables("quarantine_orders")
    assert list_rows(quarantined) == list_rows(others)


def test_a_later_batch_is_added_and_held_against_the_table(both: Both) -> None:
    for name, first in (("a", 1), ("b", 101), ("c", 200)):  # 200 is in b
        rows = [
            ",".join({**GOOD, "id": str(number)}[column] for column in COLUMNS) for number in range(first, first + 100)
        ]
        (both.landing / f"{name}.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
        mine, theirs = both.ingest()
        assert (mine.rows_in, mine.rows_clean, mine.violations) == (
            theirs.rows_in,
            theirs.rows_clean,
            theirs.violations,
        )
    assert mine.violations == (("key: id is in the table already", 1),)
    clean, other = both.tables("clean_orders")
    assert list_rows(clean) == list_rows(other)
    written = [
        action["commitInfo"] for action in both.log() if action.get("commitInfo", {}).get("operation") == "WRITE"
    ]
    assert [one["operationMetrics"]["numOutputRows"] for one in written] == ["100", "100", "99"]
    assert [one["operationParameters"]["mode"] for one in written] == ["Append"] * 3
    added = [action["add"]["path"] for action in both.log() if "add" in action]
    # A name is of one batch alone, whatever numbers its tasks have: they begin anew with each application.
    tokens = [found[1] for path in added if (found := re.match(r"part-\d+-([0-9a-f]{32})\.parquet$", path))]
    assert len(tokens) == len(set(tokens)) == 2


def test_a_batch_that_cannot_be_committed_leaves_nothing_and_comes_in_later(
    both: Both, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_nasty(both.landing / "a.csv", list(COLUMNS), first=1, seed=9)

    def fail(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(adopt, "list_metrics", fail)  # after the files were moved, before the commit
        with pytest.raises(OSError, match="no space"):
            both.ingest()
    assert list(Path(both.express.root, "clean_orders").glob("*.parquet"))
    mine, theirs = both.ingest()
    assert (mine.rows_in, mine.rows_clean, mine.violations) == (theirs.rows_in, theirs.rows_clean, theirs.violations)
    clean, other = both.tables("clean_orders")
    assert list_rows(clean) == list_rows(other)


def test_moments_past_the_years_that_python_holds_are_taken_in(both: Both) -> None:
    rows = [",".join({**GOOD, "id": str(number)}[name] for name in COLUMNS) for number in range(300)]
    (both.landing / "a.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    for number, until in enumerate(("timestamp'9999-12-31 23:59:59.999999'", "make_date(12000, 1, 1)")):
        derived = replace(
            both,
            use_case=describe(both.use_case.environment, both.landing, derive={"until": until}),
            express=replace(both.express, root=f"{both.express.root}_{number}"),
            long=replace(both.long, root=f"{both.long.root}_{number}"),
        )
        mine, theirs = derived.ingest()
        assert mine.rows_clean == theirs.rows_clean == 300
        assert derived.tables("clean_orders")[0].where(f"until = {until}").count() == 300
    assert both.taken == [300, 300]


def test_a_batch_of_no_lines_has_no_values() -> None:
    taken = split_plain(b"", Layout("a,b,c", ",", ("",), ("int", None, "string")))
    assert (len(taken.lines), len(taken.is_plain), [len(column) for column in taken.columns]) == (1, 1, [1, 1])


def test_a_table_with_checks_of_others_takes_no_files(both: Both) -> None:
    rows = [",".join({**GOOD, "id": str(number)}[name] for name in COLUMNS) for number in range(50)]
    (both.landing / "a.csv").write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    both.ingest()
    columns = read_table(both.express, "clean_orders").schema
    assert adopt.can_adopt(both.express, "clean_orders", columns)
    assert not adopt.can_adopt(both.express, "clean_orders", columns[:-1])
    table = f"delta.`{both.express.root}/clean_orders`"
    both.express.spark.sql(f"ALTER TABLE {table} ADD CONSTRAINT theirs CHECK (id >= 0)")
    assert not adopt.can_adopt(both.express, "clean_orders", columns)
