"""What is looked at before a batch is begun, so that it does not fail after an hour."""

import shutil
from typing import TYPE_CHECKING

from sparkml_ops.errors import SetupError
from sparkml_ops.lake.location import Lake, local_root

if TYPE_CHECKING:
    from sparkml_ops.ingestion.batches import Batch

# Measured on CSV of ten columns, which gzip packs to a fifth: by the bytes of the files the staged rows take 0.67, the table 0.30. So
# this is about twice what such a batch writes.
_ROOM = 2
_PACKED_ROOM = 10
_PACKED = (".gz", ".bz2", ".zst", ".parquet")
_MEGABYTE = 1_000_000


def require_room(lake: Lake, batch: "Batch") -> None:
    """Raise SetupError when the lake's disk has no room for what the batch will write; remote storage is not asked."""
    root = local_root(lake)
    if root is None:
        return
    needed = sum(
        piece.size_bytes * (_PACKED_ROOM if piece.path.lower().endswith(_PACKED) else _ROOM) for piece in batch.files
    )
    root.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise SetupError(
            f"source {batch.source}: batch {batch.batch_id} may need {_show(needed)} at {root}, and {_show(free)} are free. Nothing was "
            "written. Make room (`sparkml-ops maintain` removes what no one needs), or take in fewer files at a time."
        )


def _show(size_bytes: int) -> str:
    return f"{size_bytes / _MEGABYTE:,.0f} MB"
