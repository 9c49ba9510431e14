"""A store in a Redis server: for many servers, and written from the executors.

    sparkml_ops:{<use case>}:published                  hash: view -> its publication
    sparkml_ops:{<use case>}:pending                    hash: view -> the publishing under way
    sparkml_ops:{<use case>}:rows:<view>:<generation>   hash: key -> record, and "" -> "" so that it is there even when empty

A page is put by one script, which looks first whether the publishing is still the one under way; so a task that outlived its driver
writes nothing. A look-up reads publication and records in one transaction. A view's records are one hash on one server: where a
server evicts keys, it evicts all of them, and that is told instead of answering that nothing is known. The braces keep a use case in one
slot of a cluster.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sparkml_ops.errors import ConfigError, ConflictError, SetupError
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

_WAIT_SECONDS = 30
_ATTEMPTS = 5  # a look-up meets a full publishing's end once; more often only if somebody publishes in a circle
_FENCED = "FENCED"
_ANCHOR = b""  # no entity's key is empty
_HOLD = f"if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return redis.error_reply('{_FENCED} another') end\n"
_PUT = (
    _HOLD
    + """
local kept = tonumber(ARGV[3])
for at = 1, kept do redis.call('HSET', KEYS[2], ARGV[2 + 2 * at], ARGV[3 + 2 * at]) end
for at = 4 + 2 * kept, #ARGV do redis.call('HDEL', KEYS[2], ARGV[at]) end
"""
)
_COMMIT = _HOLD + "redis.call('HSET', KEYS[2], ARGV[1], ARGV[3]) redis.call('HDEL', KEYS[1], ARGV[1])"


class RedisFeatures:
    """Records in a Redis server."""

    takes_many_writers = True

    def __init__(self, url: str, use_case: str) -> None:
        self._url = url
        self._prefix = f"sparkml_ops:{{{use_case}}}"
        self._client: Any = None
        self._known: dict[str, Publication] = {}

    def __getstate__(self) -> dict[str, Any]:
        """A connection stays where it is; whoever gets a copy opens its own."""
        return {**self.__dict__, "_client": None}

    def read_states(self) -> dict[str, ViewState]:
        """What there is of each view."""
        with self._blaming() as client:
            published, pending = (
                client.pipeline().hgetall(self._name("published")).hgetall(self._name("pending")).execute()
            )
        return {
            view.decode(): ViewState(
                read_publication(published[view]) if view in published else None,
                read_pending(pending[view]) if view in pending else None,
            )
            for view in sorted(published.keys() | pending.keys())
        }

    def begin(self, pending: Pending) -> None:
        """Take a view over for a publishing."""
        with self._blaming() as client:
            begun = client.pipeline().hset(self._name("pending"), pending.target.view, write_pending(pending))
            begun.hset(self._rows(pending.target), _ANCHOR, b"").execute()

    def put(self, pending: Pending, changes: Sequence[Change]) -> None:
        """Write some records by one script."""
        kept = [part for c in changes if c.content is not None for part in (c.key, c.content)]
        gone = [change.key for change in changes if change.content is None]
        hold = (pending.target.view, write_pending(pending), len(kept) // 2)
        with self._blaming(pending) as client:
            client.eval(_PUT, 2, self._name("pending"), self._rows(pending.target), *hold, *kept, *gone)

    def commit(self, pending: Pending) -> None:
        """Make the target the state that is served, then remove the view's other hashes."""
        target = pending.target
        with self._blaming(pending) as client:
            hold = (target.view, write_pending(pending), write_publication(target))
            client.eval(_COMMIT, 2, self._name("pending"), self._name("published"), *hold)
            self._unlink(client, target.view, but=self._rows(target))

    def forget(self, view: str) -> None:
        """Take a view out with all its hashes."""
        with self._blaming() as client:
            client.pipeline().hdel(self._name("published"), view).hdel(self._name("pending"), view).execute()
            self._unlink(client, view, but=None)

    def find(self, keys: Mapping[str, Sequence[bytes]]) -> dict[str, Found]:
        """Records by view; a look-up that a full publishing overtakes is made again."""
        if not keys:
            return {}
        for _ in range(_ATTEMPTS):
            asked = {view: self._known[view] for view in keys if view in self._known}
            with self._blaming() as client:
                look = client.pipeline(transaction=True).hmget(self._name("published"), list(keys))
                for view, publication in asked.items():
                    look.hmget(self._rows(publication), [_ANCHOR, *keys[view]])
                texts, *answers = look.execute()
            found = {view: read_publication(text) for view, text in zip(keys, texts, strict=True) if text is not None}
            # Another thread may have seen a newer one: each goes by what it asked with.
            self._known.update(found)
            if {v: p.generation for v, p in asked.items()} == {v: p.generation for v, p in found.items()}:
                rows = dict(zip(asked, answers, strict=True))
                return {view: Found(found[view], self._require(rows[view], view)) for view in found}
            self._known = {view: known for view, known in self._known.items() if view in found or view not in keys}
        raise ConflictError(f"the views {', '.join(keys)} are published in full again and again: ask once more")

    def scan(self, publication: Publication) -> Iterator[list[Change]]:
        """All records in no order; one may come twice, as Redis has it."""
        at = 0
        while True:
            with self._blaming() as client:
                at, rows = client.hscan(self._rows(publication), at, count=PAGE)
            yield [Change(key, content) for key, content in rows.items() if key != _ANCHOR]
            if at == 0:
                return

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _unlink(self, client: Any, view: str, *, but: str | None) -> None:
        for name in client.scan_iter(match=_literally(self._name(f"rows:{view}:")) + "*"):
            if name.decode() != but:
                client.unlink(name)

    def _require(self, records: list[bytes | None], view: str) -> list[bytes | None]:
        if records[0] is None:
            raise SetupError(
                f"the records of {view} are gone from Redis though it says that they are published: it evicts keys, or somebody removed "
                "them. Set maxmemory-policy noeviction, and publish with --full."
            )
        return records[1:]

    def _name(self, part: str) -> str:
        return f"{self._prefix}:{part}"

    def _rows(self, publication: Publication) -> str:
        return self._name(f"rows:{publication.view}:{publication.generation}")

    @contextmanager
    def _blaming(self, pending: Pending | None = None) -> Iterator[Any]:
        """The client, and the server's refusals as what a user can mend; the address may hold a password and is not shown."""
        try:
            import redis
        except ImportError as error:
            raise ConfigError(
                "serving.store of kind redis needs an extra: pip install 'sparkml-ops[online]'"
            ) from error
        if self._client is None:
            try:
                self._client = redis.Redis.from_url(
                    self._url, socket_timeout=_WAIT_SECONDS, socket_connect_timeout=_WAIT_SECONDS
                )
            except ValueError as error:
                raise ConfigError("serving.store.url is no address of a Redis server: redis://host:6379/0") from error
        try:
            yield self._client
        except redis.ResponseError as error:
            if pending is not None and _FENCED in str(error):
                raise ConflictError(
                    f"another publishing of {pending.target.view} has begun since this one did. It goes on; this one has stopped."
                ) from error
            raise SetupError(f"Redis refuses: {error}") from error
        except redis.RedisError as error:
            raise SetupError(
                f"Redis cannot be used ({type(error).__name__}): check that it runs, and serving.store.url"
            ) from error


def _literally(text: str) -> str:
    """A text for a pattern of Redis, in which some characters have a meaning."""
    return "".join(f"\\{letter}" if letter in "*?[]^\\" else letter for letter in text)
