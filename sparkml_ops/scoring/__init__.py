"""The champion's predictions: scored in bulk, judged, published or held, and what a person does with them."""

from sparkml_ops.scoring.batches import BatchesResult, find_batch, hold_batch, publish_batch, roll_back_batch
from sparkml_ops.scoring.calendar import ScoringDay, ScoringPlan, plan_scoring
from sparkml_ops.scoring.compare_batches import BatchDifference, diff_batch
from sparkml_ops.scoring.ledger import BatchCheck, BatchEvent, PredictionBatch, read_batches
from sparkml_ops.scoring.publications import Publications, list_publications
from sparkml_ops.scoring.score import ScoreResult, score

__all__ = [
    "BatchCheck",
    "BatchDifference",
    "BatchEvent",
    "BatchesResult",
    "PredictionBatch",
    "Publications",
    "ScoreResult",
    "ScoringDay",
    "ScoringPlan",
    "diff_batch",
    "find_batch",
    "hold_batch",
    "list_publications",
    "plan_scoring",
    "publish_batch",
    "read_batches",
    "roll_back_batch",
    "score",
]
