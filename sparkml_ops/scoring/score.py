"""Keys and moments + the champion -> the prediction ledger and the current predictions."""

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import look_up_features
from sparkml_ops.lake import Commit, Lake, change_versions, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import ModelVersion, PackagedModel, predict_rows
from sparkml_ops.scoring.decide import publish_batch_rows, tell_decision
from sparkml_ops.scoring.increment import hold_features
from sparkml_ops.scoring.judge import judge_batch
from sparkml_ops.scoring.layout import lay_out_scores
from sparkml_ops.scoring.ledger import (
    KEPT_BACK,
    RULES,
    PredictionBatch,
    create_ledger,
    read_predictions,
    write_batches,
    write_predictions,
)
from sparkml_ops.scoring.refusals import QUARANTINE, write_refused
from sparkml_ops.scoring.request import ScoringRequest, Wanted, is_increment, open_request
from sparkml_ops.scoring.roles import Asked, Roles, count_reasons, draft_batch, find_publisher, is_settled, load_roles
from sparkml_ops.scoring.same_rows import require_same_rows

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import StepRecord

logger = logging.getLogger(__name__)

_PASSED = "nothing of scoring.hold_if holds it"


@dataclass(frozen=True)
class ScoreResult:
    """What was scored.

    Attributes:
        run_id: the run.
        batches: one for each role.
        outputs: the commits, in order.
    """

    run_id: str
    batches: tuple[PredictionBatch, ...]
    outputs: tuple[Commit, ...]

    @property
    def is_held(self) -> bool:
        """Whether the champion's batch was held back, or a person keeps it from consumers."""
        return self.refusal is not None

    @property
    def refusal(self) -> str | None:
        """Why it is not published; None where it is."""
        return "; ".join(b.history[-1].reason for b in self.batches if b.status in KEPT_BACK) or None


@dataclass(frozen=True)
class _Scored:
    """A role's rows, not yet computed, and what the batch was before."""

    model: PackagedModel
    rows: "DataFrame"
    draft: PredictionBatch
    before: PredictionBatch | None


def score(  # noqa: PLR0913  # what may be asked on the command line may be asked here
    use_case: "UseCase",
    lake: Lake,
    *,
    batch: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    full: bool = False,
    replace: bool = False,
    run_id: str | None = None,
) -> ScoreResult:
    """Score a batch with the champion, and with the challenger in the shadow; publish or hold it.

    Features are looked up as they were known at each row's moment. Scoring the same batch again writes nothing where its rows
    are the same. A batch that a person rolled back or held stays so until its rows change, or `batches publish` brings it back.
    With `scoring.incremental`, rows that are published as they would be scored now are left out.

    Args:
        use_case: the request, roles, threshold, hold rules.
        lake: where the tables are.
        batch: name of the batch; by default its first and last day.
        since: the first moment that is asked for.
        until: the first moment that is not asked for any more.
        full: whether all rows are scored, although `scoring.incremental` is set.
        replace: whether rows that differ from those that the batch had may take their place.
        run_id: the run that this belongs to.

    Raises:
        ConfigError: the span is empty, or a batch is named whose rows are chosen by what is published.
        ModelNotFoundError: there is no champion.
        ContractError: more rows than are allowed cannot be scored.
        ConflictError: the same use case is being scored by somebody else, or the batch is known with other rows.
    """
    run_id, wanted = run_id or new_run_id(), Wanted(batch, since, until, full, replace)
    if batch is not None and is_increment(use_case, wanted):
        raise ConfigError(
            f"batch {batch!r} cannot be named: with scoring.incremental its rows depend on what is published. --full scores all rows under this name."
        )
    with (
        hold_lease(lake, "score", wait_seconds=STAGE_WAIT_SECONDS),
        record_step(lake, run_id=run_id, step="score", config_hash=hash_config(use_case.scoring)) as record,
    ):
        result = _score_batch(use_case, lake, wanted, run_id=run_id, record=record)
        for commit in result.outputs:
            record.wrote(commit)
        if result.refusal is not None:
            record.refuse(result.refusal)
    return result


def _score_batch(use_case: "UseCase", lake: Lake, wanted: Wanted, *, run_id: str, record: "StepRecord") -> ScoreResult:
    models = load_roles(use_case)  # resolved once: a promotion meanwhile does not touch this run
    champion, _ = find_publisher(use_case, models)
    record.model(champion.name, champion.version)
    request = open_request(use_case, lake, wanted)
    features, versions = look_up_features(request.moments, use_case, lake, timestamp=use_case.scoring.as_of)
    read = {**request.versions, **versions}
    for table, version in read.items():
        record.read(table, version)
    create_ledger(lake, [request.moments.schema[column] for column in use_case.dataset.entity])
    asked = Asked(request, wanted, features, versions, change_versions(lake, read), {}, run_id)
    with hold_features(use_case, lake, asked, models) as asked:
        record.note("batch_id", asked.request.batch_id)
        record.note("rows_refused", request.rows_refused)
        record.note("rows_unchanged", request.rows - asked.request.rows)
        return _score_roles(use_case, lake, asked, models)


def _score_roles(use_case: "UseCase", lake: Lake, asked: Asked, models: Roles) -> ScoreResult:
    """Each role's rows into the ledger, then the champion's to consumers."""
    request, run_id = asked.request, asked.run_id
    is_undecided = any(not is_settled(use_case, one) for one in asked.known.values())
    if is_increment(use_case, asked.wanted) and not request.rows and not is_undecided:
        logger.info("nothing is new or changed: all rows are published as they would be scored")
        return ScoreResult(run_id, (), tuple(_write_refused(use_case, lake, request, run_id=run_id)))
    scored = [_score_role(use_case, asked, role=role, of=of) for role, of in models.items()]
    if not asked.wanted.replace:
        scored = [_keep_name(use_case, lake, one) for one in scored]
    refused = _write_refused(use_case, lake, request, run_id=run_id)
    written = [_write_role(use_case, lake, asked, one) for one in scored]
    batches, commits = [batch for batch, _ in written], [*refused, *(commit for _, commit in written)]
    if batches != [one.before for one in scored]:
        commits.append(write_batches(lake, batches, write_id=f"{run_id}:scored"))
    champion = next(batch for batch in batches if batch.role == use_case.scoring.publisher)
    if champion.status not in KEPT_BACK:
        published, more = publish_batch_rows(
            lake, champion, key=use_case.dataset.key_columns(), by=RULES, reason=_PASSED, run_id=run_id
        )
        batches = [published if b.role == champion.role else b for b in batches]
        commits += more
    return ScoreResult(run_id, tuple(batches), tuple(commits))


def _score_role(use_case: "UseCase", asked: Asked, *, role: str, of: tuple[ModelVersion, PackagedModel]) -> _Scored:
    version, model = of
    before = asked.known.get((version.version, role))
    draft = draft_batch(use_case, asked, role=role, version=version, before=before)
    scored = predict_rows(asked.features, model, explain=count_reasons(use_case, role), segment=True)
    rows = lay_out_scores(use_case, scored, draft, asked.versions, model=model)
    return _Scored(model, rows, draft, before)


def _write_refused(use_case: "UseCase", lake: Lake, request: ScoringRequest, *, run_id: str) -> list[Commit]:
    """Rows in are rows scored and rows in quarantine; those first, so that none is lost when the run is killed."""
    if request.rows_refused:
        logger.warning("batch %s: %d rows cannot be scored: see %s", request.batch_id, request.rows_refused, QUARANTINE)
    commit = write_refused(
        lake,
        request.refused,
        entity=use_case.dataset.entity,
        as_of=use_case.scoring.as_of,
        of={"batch_id": request.batch_id, "run_id": run_id},
        made_from=hash_config(use_case.scoring.relation, use_case.scoring.as_of, request.versions),
    )
    return [] if commit is None else [commit]


def _keep_name(use_case: "UseCase", lake: Lake, scored: _Scored) -> _Scored:
    """Where the batch is known and its inputs have moved on: the same rows keep their name, and others are refused it."""
    before, draft = scored.before, scored.draft
    if before is None or before.fingerprint == draft.fingerprint:
        return scored
    rows = scored.rows.persist()
    try:
        require_same_rows(rows, read_predictions(lake, before), key=use_case.dataset.key_columns(), batch=before)
    finally:
        rows.unpersist()
    return replace(scored, draft=replace(draft, fingerprint=before.fingerprint))


def _write_role(use_case: "UseCase", lake: Lake, asked: Asked, scored: _Scored) -> tuple[PredictionBatch, Commit]:
    """Write a role's rows and judge them, unless they are there and stand as published, or as a person decided."""
    before, draft = scored.before, scored.draft
    commit = write_predictions(lake, scored.rows, draft)
    if before is not None and commit.status == "skipped_duplicate" and before.fingerprint == draft.fingerprint:
        is_decided = before.status in KEPT_BACK and before.decided_by != RULES
        if is_decided:
            logger.warning("%s", tell_decision(before))
        if is_decided or is_settled(use_case, before):
            return before, commit
    judged = judge_batch(use_case, lake, draft, asked=asked, model=scored.model, version=commit.version)
    return judged, commit
