"""What a person does with batches that are scored: publish one, hold one, take one back."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from getpass import getuser
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.config.said import require_words
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ConfigError, ConflictError
from sparkml_ops.lake import Commit, Lake, new_run_id, read_table, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.scoring.decide import publish_batch_rows
from sparkml_ops.scoring.ledger import (
    PREDICTIONS,
    RULES,
    PredictionBatch,
    create_ledger,
    decide_batch,
    read_batches,
    write_batches,
)
from sparkml_ops.scoring.publications import Publication, Publications, list_publications, take_back

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import StepRecord

_EXAMPLE = "the weather feed was doubled"
_LOOKED_THROUGH = 1000  # batches, for the name that was meant


@dataclass(frozen=True)
class BatchesResult:
    """What was decided.

    Attributes:
        run_id: the run.
        changed: batches that are something else now; none where they were so already.
        outputs: the commits, in order.
        undo: the verbs that would undo it, in their order.
    """

    run_id: str
    changed: tuple[PredictionBatch, ...]
    outputs: tuple[Commit, ...]
    undo: tuple[str, ...]


def publish_batch(
    use_case: "UseCase", lake: Lake, batch: str, *, reason: str, version: int | None = None, run_id: str | None = None
) -> BatchesResult:
    """Publish a batch from the ledger, whatever held it; nothing is scored.

    Args:
        use_case: whose batch.
        lake: where the tables are.
        batch: its name.
        reason: why, in words.
        version: the model version that scored it; by default the one that scored it last.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: no reason, no such batch, or it was only scored in the shadow.
        ConflictError: somebody else is scoring.
    """
    with _decide(use_case, lake, "publish_batch", reason=reason, run_id=run_id) as (record, words, run):
        found = choose_batch(use_case, lake, batch, version)
        if found.status == "published" and list_publications(lake).shows(found):
            return BatchesResult(run, (), (), ())
        create_ledger(lake, [read_table(lake, PREDICTIONS).schema[name] for name in use_case.dataset.entity])
        changed, commits = publish_batch_rows(
            lake, found, key=use_case.dataset.key_columns(), by=getuser(), reason=words, run_id=run
        )
        for commit in commits:
            record.wrote(commit)
        return BatchesResult(run, (changed,), tuple(commits), (f"rollback {use_case.name} {batch}",))


def hold_batch(
    use_case: "UseCase", lake: Lake, batch: str, *, reason: str, version: int | None = None, run_id: str | None = None
) -> BatchesResult:
    """Keep a batch that is not published from being published, until its rows change or a person publishes it.

    Args:
        use_case: whose batch.
        lake: where the tables are.
        batch: its name.
        reason: why, in words.
        version: the model version that scored it; by default the one that scored it last.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: no reason, no such batch, or it is published.
        ConflictError: somebody else is scoring.
    """
    with _decide(use_case, lake, "hold_batch", reason=reason, run_id=run_id) as (record, words, run):
        found = choose_batch(use_case, lake, batch, version)
        if found.status == "published":
            raise ConfigError(
                f"batch {batch} is published: `batches rollback {use_case.name} {batch}` takes it back and keeps it so."
            )
        held = decide_batch(found, "held", by=getuser(), reason=words, run_id=run)
        if held == found:
            return BatchesResult(run, (), (), ())
        commit = write_batches(lake, [held], write_id=f"{run}:held")
        record.wrote(commit)
        return BatchesResult(
            run, (held,), (commit,), (f"publish {use_case.name} {batch} --version {held.model_version}",)
        )


def roll_back_batch(
    use_case: "UseCase", lake: Lake, batch: str, *, reason: str, with_later: bool = False, run_id: str | None = None
) -> BatchesResult:
    """Bring `predictions_current` back to what it was before a batch was published, in one commit, without scoring.

    What was published after the batch is taken back with it: `publish_batch` brings each of them again from the ledger. A
    rollback that was ended between its two writes is gone on with, and goes back no further.

    Args:
        use_case: whose batch.
        lake: where the tables are.
        batch: its name.
        reason: why, in words.
        with_later: whether batches that were published after it may be taken back with it.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: no reason, no such batch, or it is not published.
        ConflictError: other batches were published after it; or somebody else is scoring.
        TableNotFoundError: what was there before is gone.
    """
    with _decide(use_case, lake, "roll_back_batch", reason=reason, run_id=run_id) as (record, words, run):
        known, commits = find_batch(use_case, lake, batch), []
        publications = list_publications(lake)
        at, lost = publications.find(batch), [one for one in known if publications.has_lost(one)]
        unplaced = [one for one in known if one.status == "published" and one.current_version is None]
        taken = unplaced
        if lost:  # an earlier rollback that was ended, or a RESTORE by hand, has done it
            taken = lost
        elif at is not None:
            _require_told(use_case, publications, at, with_later=with_later)
            of_version = [one for one in known if one.model_version == at.model_version]
            taken = [one for one in of_version if one.role == use_case.scoring.publisher] or of_version or known
            commits.append(take_back(lake, at))
        elif not unplaced:
            raise ConfigError(
                f"batch {batch} is not published, so there is nothing to take back; it is {_tell(known)}."
            )
        changed = _settle(lake, taken, by=getuser(), reason=words, run_id=run)
        commits.append(write_batches(lake, changed, write_id=f"{run}:rolled_back"))
        for commit in commits:
            record.wrote(commit)
        gone = sorted((one for one in changed if one.status == "rolled_back"), key=lambda one: one.current_version or 0)
        undo = tuple(f"publish {use_case.name} {one.batch_id} --version {one.model_version}" for one in gone)
        return BatchesResult(run, tuple(changed), tuple(commits), undo)


def _require_told(use_case: "UseCase", publications: Publications, at: Publication, *, with_later: bool) -> None:
    later = [one.batch_id for one in publications.in_effect if one.version > at.version]
    if not later or with_later:
        return
    raise ConflictError(
        f"batch {at.batch_id} was published as v{at.version} of predictions_current, and after it: {list_names(dict.fromkeys(later))}. Going back "
        f"to what was before it takes these back too. Nothing was changed. --with-later does so; then `batches publish {use_case.name} …` brings "
        "back each that is to stay, from the ledger, without scoring."
    )


def _settle(
    lake: Lake, taken: Sequence[PredictionBatch], *, by: str, reason: str, run_id: str
) -> list[PredictionBatch]:
    """What has become of which batches, now that `predictions_current` went back."""
    publications = list_publications(lake)
    lost = [one for one in read_batches(lake, "status = 'published'") if publications.has_lost(one)]
    gone = {one.key: decide_batch(one, "rolled_back", by=by, reason=reason, run_id=run_id) for one in (*lost, *taken)}
    of_these = F.col("batch_id").isin(sorted({batch_id for batch_id, _, _ in gone}))
    shown = [one for one in read_batches(lake, of_these) if publications.shows(one) and one.key not in gone]
    why = f"in effect again, since batch {taken[0].batch_id} was rolled back"
    back = [_bring_back(one, publications, why=why, run_id=run_id) for one in shown if one.status != "published"]
    return [*gone.values(), *back]


def _bring_back(one: PredictionBatch, publications: Publications, *, why: str, run_id: str) -> PredictionBatch:
    found = publications.find(one.batch_id)
    version = found.version if found else None
    return decide_batch(one, "published", by=RULES, reason=why, run_id=run_id, current_version=version)


@contextmanager
def _decide(
    use_case: "UseCase", lake: Lake, step: str, *, reason: str, run_id: str | None
) -> Iterator[tuple["StepRecord", str, str]]:
    words, run = require_words("--reason", reason, example=_EXAMPLE), run_id or new_run_id()
    with (
        hold_lease(lake, "score", wait_seconds=STAGE_WAIT_SECONDS),
        record_step(lake, run_id=run, step=step, config_hash=hash_config(use_case.scoring)) as record,
    ):
        record.note("reason", words)
        yield record, words, run


def choose_batch(use_case: "UseCase", lake: Lake, batch: str, version: int | None) -> PredictionBatch:
    """The scoring of a batch that is meant: by a version, or the last that may be published.

    Raises:
        ConfigError: no such batch, or it was only scored in the shadow.
    """
    known = find_batch(use_case, lake, batch)
    found = [one for one in known if one.role == use_case.scoring.publisher and version in (None, one.model_version)]
    if not found:
        which = "" if version is None else f" by version {version}"
        raise ConfigError(
            f"batch {batch} was not scored{which} in a role that publishes (scoring.roles); it is {_tell(known)}. `score {use_case.name} --batch "
            f"{batch}` scores it with the champion."
        )
    return found[-1]


def _tell(known: Sequence[PredictionBatch]) -> str:
    return ", ".join(f"{one.status.replace('_', ' ')} (version {one.model_version}, {one.role})" for one in known)


def find_batch(use_case: "UseCase", lake: Lake, batch: str) -> list[PredictionBatch]:
    """All that is known of a batch: by each version, in each role, oldest first.

    Raises:
        ConfigError: no batch of that name was scored.
    """
    found = read_batches(lake, F.col("batch_id") == batch)
    if found:
        return found
    newest = read_batches(lake, newest=_LOOKED_THROUGH)
    names = list(dict.fromkeys(one.batch_id for one in reversed(newest)))
    close = nearest_name(batch, names)
    meant = f" Did you mean {close}?" if close else ""
    raise ConfigError(
        f"{use_case.name} has no batch {show_value(batch)}.{meant} Batches that were scored, newest first: {list_names(names)}."
    )
