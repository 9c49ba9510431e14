"""Raw files -> clean table + quarantine table, under a contract."""

from sparkml_ops.ingestion.ingest import IngestResult, SourceResult, find_batch, ingest

__all__ = ["IngestResult", "SourceResult", "find_batch", "ingest"]
