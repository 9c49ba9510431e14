"""The store that a use case names."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

from sparkml_ops.config.paths import ONLINE_FILE
from sparkml_ops.config.serving import RedisStore
from sparkml_ops.serving.stores.redis import RedisFeatures
from sparkml_ops.serving.stores.sqlite import SqliteFeatures

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.serving.stores.protocol import FeatureStore


@contextmanager
def open_store(use_case: "UseCase") -> "Iterator[FeatureStore]":
    """The online store of a use case, for as long as the block runs.

    Raises:
        SetupError: it cannot be opened.
        ConfigError: it wants a package that is not installed.
    """
    chosen = use_case.serving.store
    store: FeatureStore
    if isinstance(chosen, RedisStore):
        store = RedisFeatures(chosen.url.get_secret_value(), use_case.name)
    else:
        store = SqliteFeatures(chosen.path or ONLINE_FILE.format(use_case=use_case.name))
    try:
        yield store
    finally:
        store.close()
