"""spark-submit against a real standalone master with two workers, each a process of its own."""

import json
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyspark
import pytest

from tests.flights_sample import PROJECT, make_project
from tests.flow_project import call, shared_options

pytestmark = pytest.mark.slow
SPARK_HOME = Path(pyspark.__file__).parent
START_SECONDS = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("cluster")
    port, page = free_port(), free_port()
    settings = os.environ | {
        "SPARK_HOME": str(SPARK_HOME),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    settings |= {"SPARK_WORKER_DIR": str(folder / "work"), "SPARK_LOG_DIR": str(folder), "SPARK_DAEMON_MEMORY": "512m"}

    def start(role: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [
            str(SPARK_HOME / "bin" / "spark-class"),
            f"org.apache.spark.deploy.{role}",
            "--host",
            "127.0.0.1",
            *arguments,
        ]
        return subprocess.Popen(
            command, env=settings, stdout=subprocess.DEVNULL, stderr=(folder / f"{role}.log").open("ab")
        )

    started = [start("master.Master", "--port", str(port), "--webui-port", str(page))]
    url = f"spark://127.0.0.1:{port}"
    started += [
        start("worker.Worker", "--cores", "1", "--memory", "1500m", "--webui-port", str(free_port()), url)
        for _ in range(2)
    ]
    try:
        _wait_for_workers(page, 2)
        yield url
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(timeout=30)


def _wait_for_workers(page: int, wanted: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if _count_workers(page) == wanted:
            return
        time.sleep(0.3)
    raise TimeoutError(f"no {wanted} workers within {START_SECONDS} s")


def _count_workers(page: int) -> int:
    """0 while the master is not up; or is, and this page is not yet: its handlers are attached one by one to a server that answers already."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{page}/json/", timeout=2) as answer:
            return int(json.load(answer)["aliveworkers"])
    except (OSError, json.JSONDecodeError):
        return 0


def submit(folder: Path, master: str, job: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = (
        str(SPARK_HOME / "bin" / "spark-submit"), "--master", master, "--properties-file", str(PROJECT / "conf" / "spark-delta.conf"),
        "--conf", "spark.executor.memory=1g", "--conf", "spark.driver.host=127.0.0.1", "--conf", "spark.driver.memory=1g",
        "--conf", "spark.sql.shuffle.partitions=3", str(PROJECT / "jobs" / job),
    )  # fmt: skip
    return call(folder, *arguments, program=program)


def read_result(ended: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    """The JSON document: spark-submit joins what a program writes to stderr to its stdout."""
    assert ended.returncode == 0, ended.stdout[-4000:]
    result: dict[str, Any] = json.loads(ended.stdout[ended.stdout.index("\n{") :])["result"]
    return result


def test_a_use_case_runs_on_a_cluster_and_its_settings_are_not_overridden(tmp_path: Path, master: str) -> None:
    folder = make_project(tmp_path)
    options = ["--env", "test", *shared_options()]
    read_result(submit(folder, master, "ingest.py", "flights", *options, "--json"))
    built = read_result(submit(folder, master, "features.py", "flights", *options, "--json"))
    assert built["views"]["plane"]["rows"] == 3322
    trained = read_result(submit(folder, master, "run.py", "flights", *options, "--to", "train", "--json"))
    outcome = {step["name"]: step["status"] for step in trained["steps"]}
    assert (outcome["ingest:flights"], outcome["features:plane"]) == ("skipped", "skipped")
    assert (outcome["dataset"], outcome["train"]) == ("succeeded", "succeeded")


def test_a_session_without_delta_says_what_to_add(tmp_path: Path, master: str) -> None:
    folder = make_project(tmp_path)
    program = (str(SPARK_HOME / "bin" / "spark-submit"), "--master", "local[1]", str(PROJECT / "jobs" / "ingest.py"))
    ended = call(folder, "flights", "--env", "test", program=program)
    assert ended.returncode == 3
    assert re.search(r"came without Delta Lake.*\n.*--packages io\.delta:delta-spark_4\.2_2\.13:4\.4\.0", ended.stdout)
    assert "Traceback" not in ended.stdout
