"""The notebooks run as they are, cell by cell."""

import os
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.flights_sample import OVERRIDES, PROJECT
from tests.flow_project import Project

pytestmark = pytest.mark.slow
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.py"))


def to_notebook(path: Path, *, use_case_file: Path) -> nbformat.NotebookNode:
    """Split Databricks' source format into cells; the sample's use case takes the place of the whole year's."""
    header, *cells = path.read_text().split("# COMMAND ----------")
    assert header.startswith("# Databricks notebook source")
    book = nbformat.v4.new_notebook()
    for cell in [header.split("\n", 1)[1], *cells]:
        lines = [line for line in cell.strip().splitlines() if not line.startswith("# MAGIC")]
        source = (
            "\n".join(lines).replace('"flights"', repr(str(use_case_file))).replace('"env": "local"', '"env": "test"')
        )
        if source.strip():
            book.cells.append(nbformat.v4.new_code_cell(source))
    return book


@pytest.fixture(scope="module")
def sample_file(project: Project) -> Path:
    """The use case of the sample as a file, since a notebook has no --set."""
    import yaml

    document = yaml.safe_load((PROJECT / "conf" / "flights.yml").read_text())
    for key, value in OVERRIDES.items():
        *path, last = key.split(".")
        part = document
        for name in path:
            part = part[name]
        part[last] = yaml.safe_load(value) if not value.startswith("SELECT") else value
    file = project.folder / "conf" / "flights_sample.yml"
    file.write_text(yaml.safe_dump(document))
    return file


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path: Path, project: Project, sample_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    for name in [name for name in os.environ if name.startswith("PYSPARK_GATEWAY")]:
        monkeypatch.delenv(name)
    book = to_notebook(path, use_case_file=sample_file)
    NotebookClient(
        book, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(project.folder)}}
    ).execute()
    printed = "".join(output.get("text", "") for cell in book.cells for output in cell.get("outputs", []))
    assert printed.strip()


def test_there_are_four_of_them_with_widgets_and_defaults() -> None:
    assert len(NOTEBOOKS) == 4
    for path in NOTEBOOKS:
        assert 'if "dbutils" in globals():' in path.read_text()
