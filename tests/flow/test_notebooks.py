"""The notebooks run as they are, cell by cell."""

import os
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.flights_sample import OVERRIDES, PROJECT
from tests.flow_project import Project

pytestmark = pytest.mark.slow
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.py"))


def to_notebook(path: Path) -> nbformat.NotebookNode:
    """Split Databricks' source format into cells, for the environment of the tests."""
    header, *cells = path.read_text().split("# COMMAND ----------")
    assert header.startswith("# Databricks notebook source")
    book = nbformat.v4.new_notebook()
    for cell in [header.split("\n", 1)[1], *cells]:
        lines = [line for line in cell.strip().splitlines() if not line.startswith("# MAGIC")]
        source = "\n".join(lines).replace('"env": "local"', '"env": "test"')
        if source.strip():
            book.cells.append(nbformat.v4.new_code_cell(source))
    return book


@pytest.fixture(scope="module")
def sample(project: Project) -> Project:
    """The project with the sample's settings in its file, since a notebook has no --set."""
    import yaml

    document = yaml.safe_load((PROJECT / "conf" / "flights.yml").read_text())
    for key, value in OVERRIDES.items():
        *path, last = key.split(".")
        part = document
        for name in path:
            part = part[name]
        part[last] = yaml.safe_load(value) if not value.startswith("SELECT") else value
    (project.folder / "conf" / "flights.yml").write_text(yaml.safe_dump(document, sort_keys=False))
    return project


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, sample: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    for name in [name for name in os.environ if name.startswith("PYSPARK_GATEWAY")]:
        monkeypatch.delenv(name)
    book = to_notebook(path)
    NotebookClient(
        book, timeout=1800, kernel_name="python3", resources={"metadata": {"path": str(sample.folder)}}
    ).execute()
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    assert printed.strip()


class Widgets:
    """As in a Databricks workspace where somebody has typed `prod` into the field `env`."""

    def __init__(self) -> None:
        self.values = {"env": "prod"}
        self.widgets = self

    def text(self, name: str, default: str) -> None:
        self.values.setdefault(name, default)

    def get(self, name: str) -> str:
        return self.values[name]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_widgets_are_read_where_there_are_widgets(path: Path) -> None:
    cell = next(cell for cell in path.read_text().split("# COMMAND ----------") if "settings = {" in cell)
    here: dict[str, Any] = {"dbutils": Widgets()}
    exec(cell, here)
    assert here["settings"] == {"use_case": "flights", "env": "prod"}
    elsewhere: dict[str, Any] = {}
    exec(cell, elsewhere)
    assert elsewhere["settings"] == {"use_case": "flights", "env": "local"}


def test_there_are_four_of_them() -> None:
    assert len(NOTEBOOKS) == 4
