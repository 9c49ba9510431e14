"""Entities + model -> the prediction ledger and the current table; hold and publish."""

from sparkml_ops.scoring.ledger import BatchCheck, PredictionBatch, read_batches
from sparkml_ops.scoring.score import ScoreResult, score

__all__ = ["BatchCheck", "PredictionBatch", "ScoreResult", "read_batches", "score"]
