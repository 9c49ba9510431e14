"""A PostgreSQL server of the tests' own: started in a temporary folder, stopped and removed at the end."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

USER, PASSWORD, DATABASE = "shop", "s3cret/pässword", "shop"
HINT = (
    "PostgreSQL's server programs are not here: install them (apt-get install postgresql, or brew install postgresql)"
)


@dataclass(frozen=True)
class Postgres:
    """A running server."""

    programs: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"jdbc:postgresql://127.0.0.1:{self.port}/{DATABASE}"

    def run(self, sql: str) -> str:
        """Run statements, each a transaction of its own, and give what they print."""
        done = subprocess.run(self._psql(), input=sql, env=self._environ(), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def transaction(self, sql: str) -> Iterator[None]:
        """Run statements at once, and commit them only at the end of the block."""
        session = subprocess.Popen(
            self._psql(), env=self._environ(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert session.stdin is not None
        assert session.stdout is not None
        session.stdin.write(f"BEGIN;\n{sql}\n\\echo ready\n")
        session.stdin.flush()
        while session.stdout.readline().strip() != "ready":
            assert session.poll() is None
        yield
        session.communicate("COMMIT;\n", timeout=30)
        assert session.returncode == 0

    def control(self, action: str, *more: str) -> None:
        """Start, stop or restart the server."""
        settings = {
            "port": str(self.port), "listen_addresses": "127.0.0.1", "unix_socket_directories": str(self.folder), "fsync": "off",
            "timezone": "America/New_York", "datestyle": "German", "max_connections": "20",
        }  # fmt: skip
        given = " ".join(f"-c {name}={value}" for name, value in settings.items())
        log, data = str(self.folder / "log"), str(self.folder / "data")
        command = [str(self.programs / "pg_ctl"), action, "-w", "-D", data, *more]
        _run(command if action == "stop" else [*command, "-l", log, "-o", given])

    def kill(self) -> None:
        """End the server's own processes at once, as a power cut would; `control("start")` brings it back."""
        pid = int((self.folder / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        processes = [pid, *map(int, children)]
        for process in processes:
            os.kill(process, signal.SIGKILL)
        while any(_is_alive(process) for process in processes):
            time.sleep(0.05)
        # Where nobody reaps them, the dead look alive to a server that starts.
        for lock in (self.folder / "data" / "postmaster.pid", *self.folder.glob(".s.PGSQL.*.lock")):
            lock.unlink()

    def _psql(self) -> list[str]:
        return [str(self.programs / "psql"), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"]

    def _environ(self) -> dict[str, str]:
        own = {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": USER,
            "PGPASSWORD": PASSWORD,
            "PGDATABASE": DATABASE,
        }
        return {**os.environ, **own, "PGCLIENTENCODING": "UTF8"}


@contextmanager
def start_postgres() -> Iterator[Postgres]:
    """A server on a free port, with one user and one database."""
    programs = _find_programs()
    assert programs is not None, HINT
    folder = Path(tempfile.mkdtemp(prefix="sparkml_ops_pg_"))
    server = Postgres(programs, folder, _free_port())
    try:
        (folder / "password").write_text(PASSWORD, encoding="utf-8")
        for path in (folder, folder / "password"):
            shutil.chown(path, _server_user().pw_uid)
        given = [
            "-U",
            USER,
            "-A",
            "scram-sha-256",
            f"--pwfile={folder / 'password'}",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        _run([str(programs / "initdb"), "-D", str(folder / "data"), *given])
        server.control("start")
        try:
            subprocess.run(
                [programs / "createdb", DATABASE], env=server._environ() | {"PGDATABASE": "postgres"}, check=True
            )
            yield server
        finally:
            server.control("stop", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def _is_alive(process: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{process}/stat").read_text()
    except FileNotFoundError:
        return False


def _find_programs() -> Path | None:
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True
    )
    named = [Path(found).resolve().parent for found in [shutil.which("initdb")] if found]
    needed = ("initdb", "pg_ctl", "psql", "createdb")
    return next((folder for folder in (*installed, *named) if all((folder / name).exists() for name in needed)), None)


def _server_user() -> pwd.struct_passwd:
    """Who runs the server: it refuses to run as root."""
    if os.geteuid() != 0:
        return pwd.getpwuid(os.geteuid())
    names = {user.pw_name for user in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _run(command: list[str]) -> None:
    user = _server_user()
    as_user: dict[str, Any] = (
        {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/", timeout=120, **as_user)
    assert done.returncode == 0, f"{command[0]}: {done.stdout}{done.stderr}"
