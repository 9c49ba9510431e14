"""What becomes of a batch that is scored."""

import logging

from sparkml_ops.lake import Commit, Lake
from sparkml_ops.scoring.ledger import RULES, PredictionBatch, decide_batch, read_batches, write_batches
from sparkml_ops.scoring.publications import list_publications, publish_predictions

logger = logging.getLogger(__name__)


def publish_batch_rows(
    lake: Lake, batch: PredictionBatch, *, key: list[str], by: str, reason: str, run_id: str
) -> tuple[PredictionBatch, list[Commit]]:
    """Put a batch into `predictions_current`, in one commit, then note it; another version's publication of it is superseded."""
    commit = publish_predictions(lake, batch, key=key)
    found = list_publications(lake).find(batch.batch_id)
    is_there = found is not None and found.model_version == batch.model_version
    at = found.version if found is not None and is_there else None  # where no row changed there is no commit
    published = decide_batch(batch, "published", by=by, reason=reason, run_id=run_id, current_version=at)
    why = f"version {batch.model_version} published the batch"
    superseded = [
        decide_batch(other, "superseded", by=RULES, reason=why, run_id=run_id, current_version=at)
        for other in read_batches(lake, f"status = 'published' AND batch_id = '{batch.batch_id}'")
        if other.model_version != batch.model_version
    ]
    commits = [commit]
    if [published, *superseded] != [batch]:
        commits.append(write_batches(lake, [published, *superseded], write_id=f"{run_id}:published"))
    logger.info("batch %s: %d rows published by version %d", batch.batch_id, batch.rows, batch.model_version)
    return published, commits


def tell_decision(batch: PredictionBatch) -> str:
    """What a person decided about a batch, and how to undo it."""
    last = batch.history[-1]
    return (
        f"batch {batch.batch_id} of version {batch.model_version} was {last.status.replace('_', ' ')} by {last.by} on {last.at:%Y-%m-%d %H:%M} "
        f"UTC ({last.reason}), and its rows are the same: it stays so. `batches publish {batch.batch_id}` publishes it."
    )
