"""A Redis server of the tests' own: started in a temporary folder on a free port, with a password, stopped and removed at the end."""

import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import redis

PASSWORD = "s3cret/p@ssword"
HINT = "Redis is not here: install it (apt-get install redis-server, or brew install redis)"


@dataclass(frozen=True)
class RedisServer:
    """A running server."""

    port: int

    @property
    def url(self) -> str:
        return f"redis://:{quote(PASSWORD, safe='')}@127.0.0.1:{self.port}/0"

    def connect(self) -> "redis.Redis":
        return redis.Redis(port=self.port, password=PASSWORD)


@contextmanager
def start_redis() -> Iterator[RedisServer]:
    """A server without persistence, for as long as the block runs."""
    program = shutil.which("redis-server")
    assert program is not None, HINT
    folder = Path(tempfile.mkdtemp(prefix="sparkml_ops_redis_"))
    server = RedisServer(_free_port())
    settings = [
        "--port",
        str(server.port),
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--requirepass",
        PASSWORD,
        "--dir",
        str(folder),
    ]
    process = subprocess.Popen([program, *settings], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(server, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)
        shutil.rmtree(folder)


def _wait_for(server: RedisServer, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            server.connect().ping()
        except redis.ConnectionError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
