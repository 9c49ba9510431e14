"""What is published for applications is there to be published, and its secrets stand in no file."""

from collections.abc import Iterator
from datetime import timedelta

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import Document, KeyPath
from sparkml_ops.config.serving import RedisStore

_SCHEMES = ("redis://", "rediss://", "unix://")
_SHORTEST_TOKEN = 16  # what is shorter can be guessed


def check_online(parts: Parts) -> Iterator[Finding]:
    """The views that are served are declared, the token is long enough, and the store's address can be one."""
    serving = parts.serving
    if serving is None:
        return
    for at, name in enumerate(serving.views or ()):
        path: KeyPath = ("serving", "views", at)
        if name in (serving.views or [])[:at]:
            yield Finding(path, f"{show_value(name)} a second time")
        elif name not in parts.features:
            found = f"there is no feature view {show_value(name)}"
            yield Finding(path, found, list_names(parts.features), nearest_name(name, parts.features))
    if serving.horizon <= timedelta(0):
        yield Finding(("serving", "horizon"), "found 0s", "a duration above zero")
    if serving.token is not None and len(serving.token.get_secret_value()) < _SHORTEST_TOKEN:
        yield Finding(("serving", "token"), "a token that can be guessed", f"{_SHORTEST_TOKEN} characters or more")
    if isinstance(serving.store, RedisStore) and not serving.store.url.get_secret_value().startswith(_SCHEMES):
        yield Finding(("serving", "store", "url"), "no address of a Redis server", "redis://host:6379/0 or rediss://…")


def find_plain_tokens(document: Document) -> list[Finding]:
    """A token, or an address with a password, that stands in a file instead of coming from the environment."""
    serving = document.values.get("serving")
    if not isinstance(serving, dict):
        return []
    findings = []
    if serving.get("token") is not None and not _is_from_environment(("serving", "token"), document):
        found = "a token that does not come from the environment"
        findings.append(Finding(("serving", "token"), found, "${env:NAME}, and the variable NAME set"))
    store = serving.get("store")
    url = store.get("url") if isinstance(store, dict) else None
    path: KeyPath = ("serving", "store", "url")
    if isinstance(url, str) and ("@" in url or "password=" in url) and not _is_from_environment(path, document):
        found = "a password that does not come from the environment"
        findings.append(Finding(path, found, "${env:NAME} for the address, and the variable NAME set"))
    return findings


def _is_from_environment(path: KeyPath, document: Document) -> bool:
    return path in document.places and bool(document.places[path].secrets)
