"""Raw files -> clean table + quarantine table, under a contract."""

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.follow import Turn, follow
from sparkml_ops.ingestion.infer import infer_contract
from sparkml_ops.ingestion.ingest import IngestResult, SourceResult, find_batches, ingest
from sparkml_ops.ingestion.quarantine import find_source, read_quarantine, summarise_quarantine
from sparkml_ops.ingestion.replay import QuarantineResult, discard, replay

__all__ = [
    "Batch",
    "IngestResult",
    "QuarantineResult",
    "SourceResult",
    "Turn",
    "discard",
    "find_batches",
    "find_source",
    "follow",
    "infer_contract",
    "ingest",
    "read_quarantine",
    "replay",
    "summarise_quarantine",
]
