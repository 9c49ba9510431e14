"""A small hash of the entity that every row of a view's table has, `_entity_hash`: files are sorted by it.

So the rows of an entity, and of all that share its hash, lie together in a file, and who looks for them passes over the rest. Equal entities
have equal hashes wherever they are looked up: whole numbers of every size count by their value, and -0.0 is 0.0.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, FloatType, IntegralType, StructType

from sparkml_ops.lake import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column

ENTITY_HASH = "_entity_hash"
HASHES = 4096
"""From 0 up to it. As many buckets of 32 MB as they are make a table of 128 GB."""
GROUP_BYTES = 4 * 2**20
"""Of a row group of a view's table: who looks for some entities reads the groups that have them."""


_OF = "sparkml_ops.hash_of"
"""In the notes of the column: the entity's columns, in their order."""


def hash_column(columns: StructType, entity: Sequence[str]) -> "Column":
    """The column `_entity_hash` of a view's table, with a note of the entity."""
    return F.expr(tell_hash(columns, entity)).alias(ENTITY_HASH, metadata={_OF: [*entity]})


def has_hash(columns: StructType, entity: Sequence[str]) -> bool:
    """Whether rows have the hash of this very entity: a table that was built for another has another."""
    return any(one.name == ENTITY_HASH and one.metadata.get(_OF) == [*entity] for one in columns)


def tell_hash(columns: StructType, entity: Sequence[str]) -> str:
    """SQL for the hash of an entity, an int."""
    return f"CAST(pmod({tell_wide_hash(columns, entity)}, {HASHES}L) AS INT)"


def tell_wide_hash(columns: StructType, entity: Sequence[str]) -> str:
    """SQL for a hash of 64 bits, of which `tell_hash` is the remainder."""
    return f"xxhash64({', '.join(tell_key(columns, name) for name in entity)})"


def narrow_hash(wide: int) -> int:
    """The hash of an entity, from that of 64 bits."""
    return wide % HASHES


def tell_key(columns: StructType, name: str) -> str:
    """SQL for an entity column, the same value for what is equal."""
    kind, column = columns[name].dataType, quote_identifier(name)
    if isinstance(kind, IntegralType):
        return f"CAST({column} AS BIGINT)"
    return f"({column} + 0.0D)" if isinstance(kind, FloatType | DoubleType) else column
