"""Raw files -> clean table + quarantine table, under a contract."""

from sparkml_ops.ingestion.batches import Batch
from sparkml_ops.ingestion.ingest import IngestResult, SourceResult, find_batches, ingest

__all__ = ["Batch", "IngestResult", "SourceResult", "find_batches", "ingest"]
