"""`sparkml-ops online`: publish and check by Spark, serve in a process without it."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from online_shop import TOKEN, shop_config
from pyspark.sql import SparkSession

from sparkml_ops.cli.app import app

AT = ("--at", "2024-03-01T12:00")


@pytest.fixture
def conf(tmp_path: Path, shop_folder: Path, spark: SparkSession) -> Path:
    """A project with the shop's tables."""
    config = shop_config(tmp_path)
    environment = config.pop("environment")
    config["sources"]["orders"]["columns"] |= {
        name: {"type": kind} for name, kind in {"customer": "string", "town": "string", "amount": "double"}.items()
    } | {name: {"type": "timestamp"} for name in ("paid_at", "moved_at", "ordered_at")}
    config["serving"] = {"token": "${env:ONLINE_TOKEN}", "horizon": "2h"}
    folder = tmp_path / "conf"
    folder.mkdir()
    (folder / "base.yml").write_text(yaml.safe_dump(environment))
    (folder / "local.yml").write_text("name: local\n")
    (folder / "shop.yml").write_text(yaml.safe_dump(config))
    shutil.copytree(shop_folder, tmp_path / "lake" / "shop")
    return folder


@pytest.mark.slow
def test_publish_check_and_serve(
    conf: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ONLINE_TOKEN", TOKEN)

    def call(*arguments: str) -> tuple[int, str]:
        code = app(["--conf-dir", str(conf), "online", *arguments], standalone_mode=False)
        return int(code), capsys.readouterr().out

    published = call("publish", "shop", *AT)
    assert (published[0], published[1].splitlines()[2].split()[:4]) == (0, ["spending", "full", "2", "0"])
    assert call("check", "shop", *AT)[0] == 0
    code, told = call("check", "shop", "--at", "2024-03-01T12:01", "--view", "profile", "--json")
    assert (code, json.loads(told)["result"]["views"]["profile"]["counts"]["same"]) == (0, 3)
    status, answer = ask_process(conf)
    assert (status, answer["status"], answer["features"]) == (200, "fresh", {"town": "Bonn"})


def ask_process(conf: Path) -> tuple[int, dict[str, object]]:
    """Ask a server in a process of its own, in which importing Spark is an error."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    arguments = ["--conf-dir", str(conf), "online", "serve", "shop", "--port", str(port), *AT]
    code = f"import sys\nsys.modules['pyspark'] = None\nfrom sparkml_ops.cli import main\nmain({arguments!r})"
    process = subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "ONLINE_TOKEN": TOKEN})
    try:
        deadline = time.monotonic() + 60
        while True:
            assert process.poll() is None
            assert time.monotonic() < deadline
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                connection.request(
                    "GET", "/features/profile?customer=ann", headers={"Authorization": f"Bearer {TOKEN}"}
                )
                response = connection.getresponse()
                return response.status, json.loads(response.read())
            except ConnectionRefusedError:
                time.sleep(0.1)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) in {0, 143}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["publish", "shop", "--at", "noon"], "expected an ISO 8601 date or time"),
        (["serve", "shop", "--port", "70000"], "less than or equal to 65535"),
    ],
)
def test_a_mistake_is_told_before_anything_starts(arguments: list[str], message: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "sparkml_ops", "online", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, message in ended.stderr, "Traceback" in ended.stderr) == (2, True, False), ended.stderr
