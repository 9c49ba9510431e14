"""A store in one SQLite file: for one server, or several processes of it, on one machine.

`views` has a row per view; each generation of a view has a table of its own, so that a full publishing is seen all at once and the
old records go with their table. The write-ahead log lets readers go on while a publisher writes; each of them sees whole
transactions, so never half of what was put at once. SQLite has one writer at a time, and its file is on one machine: the records are
brought to the driver in pages and written from there.
"""

import sqlite3
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from sparkml_ops.errors import ConflictError, SetupError
from sparkml_ops.serving.publication import (
    Pending,
    Publication,
    ViewState,
    read_pending,
    read_publication,
    write_pending,
    write_publication,
)
from sparkml_ops.serving.stores.protocol import PAGE, Change, Found

_WAIT_SECONDS = 30.0  # for another writer's transaction, which is one page long
_OURS = 0x534D4F31  # "SMO1": the application id of our files
_KEYS_AT_ONCE = 500  # SQLite takes no more than 999 parameters where it was built so


class SqliteFeatures:
    """Records in a file."""

    takes_many_writers = False

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        self._opened: list[sqlite3.Connection] = []

    def read_states(self) -> dict[str, ViewState]:
        """What there is of each view."""
        with self._read() as reader:
            rows = reader.execute("SELECT view, published, pending FROM views").fetchall()
        return {
            view: ViewState(
                read_publication(published) if published else None, read_pending(pending) if pending else None
            )
            for view, published, pending in rows
        }

    def begin(self, pending: Pending) -> None:
        """Take a view over for a publishing."""
        with self._write() as writer:
            writer.execute(
                "INSERT INTO views (view, pending) VALUES (?, ?) ON CONFLICT (view) DO UPDATE SET pending = excluded.pending",
                (pending.target.view, write_pending(pending)),
            )
            table = _table_of(pending.target)
            writer.execute(
                f"CREATE TABLE IF NOT EXISTS {table} (key BLOB PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"
            )

    def put(self, pending: Pending, changes: Sequence[Change]) -> None:
        """Write some records in one transaction."""
        table = _table_of(pending.target)
        kept = [(change.key, change.content) for change in changes if change.content is not None]
        gone = [(change.key,) for change in changes if change.content is None]
        with self._write() as writer:
            _require_hold(writer, pending)
            upsert = f"INSERT INTO {table} VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET content = excluded.content"  # noqa: S608  # our own name
            writer.executemany(upsert, kept)
            writer.executemany(f"DELETE FROM {table} WHERE key = ?", gone)  # noqa: S608  # as above

    def commit(self, pending: Pending) -> None:
        """Make the target the state that is served, and drop the view's other tables, in one transaction."""
        target = pending.target
        with self._write() as writer:
            _require_hold(writer, pending)
            published = write_publication(target)
            writer.execute("UPDATE views SET published = ?, pending = NULL WHERE view = ?", (published, target.view))
            _drop_tables(writer, target.view, but=_table_of(target))

    def forget(self, view: str) -> None:
        """Take a view out with all its tables, in one transaction."""
        with self._write() as writer:
            writer.execute("DELETE FROM views WHERE view = ?", (view,))
            _drop_tables(writer, view, but=None)

    def find(self, keys: Mapping[str, Sequence[bytes]]) -> dict[str, Found]:
        """Records by view, all of them as of one instant."""
        found = {}
        with self._read() as reader:
            for view, wanted in keys.items():
                row = reader.execute("SELECT published FROM views WHERE view = ?", (view,)).fetchone()
                if row is not None and row[0] is not None:
                    publication = read_publication(row[0])
                    found[view] = Found(publication, _look_up(reader, publication, wanted))
        return found

    def scan(self, publication: Publication) -> Iterator[list[Change]]:
        """All records in the order of their keys, page by page."""
        page = f"SELECT key, content FROM {_table_of(publication)} WHERE key > ? ORDER BY key LIMIT {PAGE}"  # noqa: S608  # our own names
        last = b""
        while True:
            with self._read() as reader:
                rows = reader.execute(page, (last,)).fetchall()
            if not rows:
                return
            yield [Change(key, content) for key, content in rows]
            last = rows[-1][0]

    def close(self) -> None:
        """Close the connections of all threads."""
        while self._opened:
            self._opened.pop().close()

    @contextmanager
    def _read(self) -> Iterator[sqlite3.Connection]:
        with self._transaction("BEGIN") as reader:
            yield reader

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._transaction("BEGIN IMMEDIATE") as writer:
            yield writer

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        with _blaming(self._path):
            connection = self._connect()
            connection.execute(begin)
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise

    def _connect(self) -> sqlite3.Connection:
        """This thread's connection; another one where somebody has removed the file or put another one in its place."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is not None and self._local.file != _identify(self._path):
            self._opened.remove(connection)
            connection.close()
            connection = None
        if connection is None:
            Path(self._path).parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(
                self._path, timeout=_WAIT_SECONDS, isolation_level=None, check_same_thread=False
            )
            self._opened.append(connection)
            _prepare(connection, self._path)
            self._local.connection, self._local.file = connection, _identify(self._path)
        return connection


def _identify(path: str) -> tuple[int, int] | None:
    """Which file stands there now; None where none does. A number is not given again while a connection holds the file."""
    try:
        found = Path(path).stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _prepare(connection: sqlite3.Connection, path: str) -> None:
    """Make the file ours; one that is somebody else's is left as it is."""
    mark = connection.execute("PRAGMA application_id").fetchone()[0]
    if mark != _OURS and connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
        raise SetupError(f"{path} is an SQLite file of something else. Name another one in serving.store.path.")
    # What a transaction wrote is whole after a power cut in this mode too; only the last ones may be gone, all of each.
    connection.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;")
    if mark != _OURS:
        connection.execute("CREATE TABLE IF NOT EXISTS views (view TEXT PRIMARY KEY, published TEXT, pending TEXT)")
        connection.execute(f"PRAGMA application_id = {_OURS}")


def _require_hold(writer: sqlite3.Connection, pending: Pending) -> None:
    row = writer.execute("SELECT pending FROM views WHERE view = ?", (pending.target.view,)).fetchone()
    if row is None or row[0] != write_pending(pending):
        raise ConflictError(
            f"another publishing of {pending.target.view} has begun since this one did. It goes on; this one has stopped."
        )


def _look_up(reader: sqlite3.Connection, publication: Publication, keys: Sequence[bytes]) -> list[bytes | None]:
    records: dict[bytes, bytes] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = keys[start : start + _KEYS_AT_ONCE]
        marks = ", ".join("?" * len(some))
        select = f"SELECT key, content FROM {_table_of(publication)} WHERE key IN ({marks})"  # noqa: S608  # our own names
        records.update(reader.execute(select, some).fetchall())
    return [records.get(key) for key in keys]


def _drop_tables(writer: sqlite3.Connection, view: str, *, but: str | None) -> None:
    names = writer.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for table in (f'"{name}"' for (name,) in names if name.startswith(f"rows:{view}:")):
        if table != but:
            writer.execute(f"DROP TABLE {table}")


def _table_of(publication: Publication) -> str:
    """Quoted name of a generation's table; a view's name and a generation are letters, digits and underscores."""
    return f'"rows:{publication.view}:{publication.generation}"'


@contextmanager
def _blaming(path: str) -> Iterator[None]:
    """SQLite's and the disk's refusals as what a user can mend."""
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error):
            raise ConflictError(
                f"{path} is being written by another process for more than {_WAIT_SECONDS:.0f} s"
            ) from error
        raise SetupError(
            f"the store {path} cannot be used: {error}. Check the path, its rights and the disk."
        ) from error
    except (sqlite3.Error, OSError) as error:
        raise SetupError(
            f"the store {path} cannot be used: {error}. If the file is damaged, remove it and publish again: it holds nothing that the "
            "tables do not."
        ) from error
