"""Where published features are: one protocol, a file for each kind of store."""

from sparkml_ops.serving.stores.open import open_store
from sparkml_ops.serving.stores.protocol import Change, FeatureStore, Found

__all__ = ["Change", "FeatureStore", "Found", "open_store"]
