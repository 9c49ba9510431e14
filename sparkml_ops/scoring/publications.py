"""What consumers see: batches put into `predictions_current`, and taken out again, each in one commit."""

from dataclasses import dataclass

from sparkml_ops.lake import (
    Commit,
    Lake,
    MergeRules,
    WrittenBy,
    commits_in_effect,
    merge_rows,
    read_history,
    restore_table,
    table_exists,
)
from sparkml_ops.scoring.ledger import CURRENT, PredictionBatch, read_predictions

_PREFIX = "publish:"


@dataclass(frozen=True)
class Publication:
    """A batch's rows put into `predictions_current`.

    Attributes:
        batch_id: the batch.
        model_version: the model version that had scored it.
        predictions_version: version of `predictions` that its rows were read from.
        version: version of `predictions_current` that it made.
    """

    batch_id: str
    model_version: int
    predictions_version: int
    version: int


@dataclass(frozen=True)
class Publications:
    """What the history of `predictions_current` tells.

    Attributes:
        in_effect: publications that lead to the newest version, newest first.
        oldest_version: the first version that the history still tells of.
    """

    in_effect: tuple[Publication, ...]
    oldest_version: int

    def find(self, batch_id: str) -> Publication | None:
        """The publication by which a batch's rows are there."""
        return next((one for one in self.in_effect if one.batch_id == batch_id), None)

    def shows(self, batch: PredictionBatch) -> bool:
        """Whether it is these rows of a batch that consumers see: of this version, and as they were scored last."""
        found = self.find(batch.batch_id)
        return found is not None and (found.model_version, found.predictions_version) == (
            batch.model_version,
            batch.predictions_version,
        )

    def has_lost(self, batch: PredictionBatch) -> bool:
        """Whether a batch counts as published, and what published it was taken back since."""
        at = batch.current_version
        if batch.status != "published" or at is None or at < self.oldest_version:
            return False
        return all(one.version != at for one in self.in_effect)


def list_publications(lake: Lake) -> Publications:
    """Read the publications from the table's own history, which follows what was restored."""
    if not table_exists(lake, CURRENT):
        return Publications((), 0)
    history = read_history(lake, CURRENT)
    found = [_read_name(commit) for commit in commits_in_effect(history) if commit.write_id.startswith(_PREFIX)]
    return Publications(tuple(found), min((int(entry["version"]) for entry in history), default=0))


def _read_name(commit: WrittenBy) -> Publication:
    model_version, _, predictions_version = commit.fingerprint.partition("@")
    return Publication(
        commit.write_id.removeprefix(_PREFIX), int(model_version), int(predictions_version), commit.version
    )


def publish_predictions(lake: Lake, batch: PredictionBatch, *, key: list[str]) -> Commit:
    """Bring a batch's rows into `predictions_current`, in one commit.

    A decision that a newer moment has been published for keeps the newer one; rows that the batch had published before and
    has no more are taken away.
    """
    rules = MergeRules(key, newest_by="as_of", remove_missing={"batch_id": batch.batch_id})
    # Named by the batch alone: a version that comes back after another one published the batch has to publish it again.
    content = f"{batch.model_version}@{batch.predictions_version}"
    rows = read_predictions(lake, batch)
    return merge_rows(lake, CURRENT, rows, rules=rules, write_id=f"{_PREFIX}{batch.batch_id}", fingerprint=content)


def take_back(lake: Lake, publication: Publication) -> Commit:
    """Bring `predictions_current` back to what it was before a publication; what was published later goes with it.

    Raises:
        TableNotFoundError: that version was removed.
    """
    return restore_table(
        lake, CURRENT, publication.version - 1, write_id=f"roll_back:{publication.batch_id}@{publication.version}"
    )
