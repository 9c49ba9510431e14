"""The flow runs once, on the sample, as a user would run it: by the command line, in a process of its own."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, open_lake
from tests.cold_start import leaving_archive, quick_start
from tests.flights_sample import OVERRIDES, PROJECT, make_project

GROUPS = {"tests/flow/test_flow.py": "flow", "tests/flow/test_notebooks.py": "flow"}
"""Modules that one process runs; each other module is a group of its own."""


@dataclass(frozen=True)
class Project:
    """A project folder, and what was said by the run in it."""

    folder: Path
    first_run: dict[str, Any]

    def use_case(self) -> UseCase:
        return load_use_case("flights", env="test", conf_dir=self.folder / "conf", overrides=OVERRIDES)

    def lake(self) -> Lake:
        return open_lake(self.use_case())


def shared_options() -> list[str]:
    return [part for key, value in OVERRIDES.items() for part in ("--set", f"{key}={value}")]


def outside_environment() -> dict[str, str]:
    """Environment variables for a process of its own: without those of this session's Spark."""
    ours = ("PYSPARK_GATEWAY", "SPARK_", "_PYSPARK")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return kept | {"PYTHONPATH": str(PROJECT), "PYSPARK_PYTHON": sys.executable} | quick_start()


def call(
    folder: Path,
    *arguments: str,
    program: tuple[str, ...] = (sys.executable, "-m", "sparkml_ops"),
    settings: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Call a program in a folder, without a network's or this session's settings, but those that are given."""
    return subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=outside_environment() | dict(settings or {}),
        capture_output=True,
        text=True,
        timeout=2400,
        check=False,
    )


def run_cli(folder: Path, *verb: str, settings: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Call `sparkml-ops` with the sample's settings."""
    return call(folder, "--env", "test", *shared_options(), *verb, settings=settings)


@dataclass(frozen=True)
class _Made:
    project: Project
    untouched: Path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> _Made:
    """Made by the first of the processes that run tests side by side, for all of them."""
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, untouched, told = shared / "flow", shared / "flow_untouched", shared / "flow.json"
    with (shared / "flow.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not told.exists():
            make_project(folder)
            with leaving_archive() as settings:
                ended = run_cli(folder, "run", "flights", "--json", settings=settings)
            assert ended.returncode == 0, ended.stderr[-4000:]
            shutil.copytree(folder / "data" / "lake", untouched)
            told.write_text(ended.stdout)
    return _Made(Project(folder, json.loads(told.read_text())), untouched)


@pytest.fixture(scope="session")
def project(made: _Made) -> Project:
    """The project; modules that change it are in one group (`GROUPS`), so that one process has them."""
    return made.project


@pytest.fixture(scope="session")
def untouched(made: _Made) -> Path:
    """The lake as the first run left it; only its tables can be read, since files are known by their paths."""
    return made.untouched


@pytest.fixture
def cli(project: Project) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda *verb: run_cli(project.folder, *verb)
