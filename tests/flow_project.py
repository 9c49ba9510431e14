"""The flow runs once, on the sample, as a user would run it: by the command line, in a process of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.lake import Lake, open_lake
from tests.flights_sample import OVERRIDES, PROJECT, make_project


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
    return kept | {"PYTHONPATH": str(PROJECT), "PYSPARK_PYTHON": sys.executable}


def call(
    folder: Path, *arguments: str, program: tuple[str, ...] = (sys.executable, "-m", "sparkml_ops")
) -> subprocess.CompletedProcess[str]:
    """Call a program in a folder, without a network's or this session's settings."""
    return subprocess.run(
        [*program, *arguments],
        cwd=folder,
        env=outside_environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


def run_cli(folder: Path, *verb: str) -> subprocess.CompletedProcess[str]:
    """Call `sparkml-ops` with the sample's settings."""
    return call(folder, "--env", "test", *shared_options(), *verb)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    folder = make_project(tmp_path_factory.mktemp("flow"))
    ended = run_cli(folder, "run", "flights", "--json")
    assert ended.returncode == 0, ended.stderr[-4000:]
    return Project(folder, json.loads(ended.stdout))


@pytest.fixture
def cli(project: Project) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda *verb: run_cli(project.folder, *verb)
