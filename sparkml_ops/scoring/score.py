"""Keys and moments + the champion -> the prediction ledger and the current predictions."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from pyspark.sql.types import MapType

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.features import look_up_features
from sparkml_ops.lake import Commit, Lake, change_versions, new_run_id, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import (
    PREDICTED_LABEL,
    PREDICTION,
    REASONS,
    SEGMENT,
    ModelVersion,
    PackagedModel,
    Reference,
    count_bins,
    find_version,
    list_aliases,
    load_version,
    name_most_probable,
    predict_rows,
    prepare_tracking,
    recorded_threshold,
    summarise_answer,
)
from sparkml_ops.scoring.checks import check_batch
from sparkml_ops.scoring.ledger import (
    LEDGER_COLUMNS,
    PredictionBatch,
    create_ledger,
    publish_predictions,
    read_batches,
    read_predictions,
    write_batches,
    write_predictions,
)
from sparkml_ops.scoring.request import ScoringRequest, open_request

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import StepRecord

logger = logging.getLogger(__name__)


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
        """Whether the champion's batch was held back."""
        return any(batch.status == "held" for batch in self.batches)


def score(use_case: "UseCase", lake: Lake, *, batch: str | None = None, run_id: str | None = None) -> ScoreResult:
    """Score a batch with the champion, and with the challenger in the shadow; publish or hold it.

    Features are looked up as they were known at each row's moment. Scoring the same batch again replaces its own rows and
    nothing else; nothing is written where nothing has changed.

    Args:
        use_case: the request, roles, threshold, hold rules.
        lake: where the tables are.
        batch: name of the batch; by default its first and last day.
        run_id: the run that this belongs to.

    Raises:
        ModelNotFoundError: there is no champion.
        ContractError: the request has missing or doubled keys.
        ConflictError: the same use case is being scored by somebody else.
    """
    run_id = run_id or new_run_id()
    with (
        hold_lease(lake, "score", wait_seconds=STAGE_WAIT_SECONDS),
        record_step(lake, run_id=run_id, step="score", config_hash=hash_config(use_case.scoring)) as record,
    ):
        result = _score_batch(use_case, lake, batch=batch, run_id=run_id, record=record)
        if result.is_held:
            record.refuse("; ".join(c.reason for b in result.batches for c in b.checks if c.verdict == "failed"))
    return result


def _score_batch(
    use_case: "UseCase", lake: Lake, *, batch: str | None, run_id: str, record: "StepRecord"
) -> ScoreResult:
    models = _load_models(use_case)  # resolved once: a promotion meanwhile does not touch this run
    request = open_request(use_case, lake, batch=batch)
    features, versions = look_up_features(request.moments, use_case, lake, timestamp=use_case.scoring.as_of)
    read = {**request.versions, **versions}
    for table, version in read.items():
        record.read(table, version)
    rows_from = change_versions(lake, read)
    record.note("batch_id", request.batch_id)
    create_ledger(lake, [request.moments.schema[column] for column in use_case.dataset.entity])
    batches, commits = [], []
    features = features.persist()
    try:
        for role, (registered, model) in models.items():
            draft = _draft_batch(use_case, request, role=role, version=registered, versions=rows_from, run_id=run_id)
            scored = predict_rows(features, model, explain=_explain(use_case, role), segment=True)
            scores = _lay_out(use_case, scored, draft, versions, threshold=_choose_threshold(use_case, model))
            commit = write_predictions(lake, scores, draft)
            batches.append(_judge_batch(use_case, lake, draft, features=features, model=model, version=commit.version))
            commits.append(commit)
    finally:
        features.unpersist()
    champion = next(b for b in batches if use_case.scoring.roles[b.role] == "publish")  # type: ignore[index]
    record.model(champion.model_name, champion.model_version)
    commits.append(write_batches(lake, batches, write_id=f"{run_id}:scored"))
    if champion.status != "held":
        champion, published = _publish(use_case, lake, champion)
        batches = [champion if b.role == champion.role else b for b in batches]
        commits += published
    for commit in commits:
        record.wrote(commit)
    return ScoreResult(run_id, tuple(batches), tuple(commits))


def _load_models(use_case: "UseCase") -> dict[str, tuple[ModelVersion, PackagedModel]]:
    """The model of each role; a challenger that is not there, or is the champion, is left out."""
    tracking = prepare_tracking(use_case.environment)
    aliases = list_aliases(tracking, use_case.name)
    found: dict[str, ModelVersion] = {}
    for role, use in use_case.scoring.roles.items():
        if use == "shadow" and (
            role not in aliases or aliases[role] in {version.version for version in found.values()}
        ):
            continue
        found[role] = find_version(tracking, use_case.name, alias=role)
    return {role: (version, load_version(tracking, version)) for role, version in found.items()}


def _explain(use_case: "UseCase", role: str) -> int:
    return use_case.scoring.explain if use_case.scoring.roles[role] == "publish" else 0  # type: ignore[index]


def _draft_batch(
    use_case: "UseCase",
    request: ScoringRequest,
    *,
    role: str,
    version: ModelVersion,
    versions: Mapping[str, int],
    run_id: str,
) -> PredictionBatch:
    """The batch before its rows are counted; its fingerprint tells all that the rows are made from."""
    asked, looked_up = (
        {table: at for table, at in versions.items() if (table in request.versions) == is_asked}
        for is_asked in (True, False)
    )
    made_from = (use_case.scoring, use_case.dataset.derived, looked_up, asked, version.digest)
    return PredictionBatch(
        batch_id=request.batch_id,
        model_name=version.name,
        model_version=version.version,
        role=role,
        status="scored",
        rows=request.rows,
        positives=0,
        mean_prediction=None,
        fingerprint=hash_config(*made_from),
        predictions_version=-1,
        run_id=run_id,
        scored_at=datetime.now(UTC),
    )


def _choose_threshold(use_case: "UseCase", model: PackagedModel) -> float | None:
    """The declared one, or else the model's own; None where its answers are no classes."""
    if model.task != "binary":
        return None
    declared = use_case.scoring.threshold
    return recorded_threshold(model.metadata) if declared is None else declared


def _lay_out(
    use_case: "UseCase",
    scored: "DataFrame",
    batch: PredictionBatch,
    versions: Mapping[str, int],
    *,
    threshold: float | None,
) -> "DataFrame":
    """Give scored rows the columns of the ledger."""
    pairs = [F.lit(part) for table, version in sorted(versions.items()) for part in (table, version)]
    reasons = F.col(REASONS) if REASONS in scored.columns else F.lit(None)
    is_of_classes = isinstance(scored.schema[PREDICTION].dataType, MapType)
    values = {
        "as_of": F.col(use_case.scoring.as_of),
        "prediction": summarise_answer(scored, PREDICTION),
        "predicted_class": F.lit(None) if threshold is None else F.col(PREDICTION) >= threshold,
        "model_name": F.lit(batch.model_name),
        "model_version": F.lit(batch.model_version),
        "role": F.lit(batch.role),
        "segment": F.col(SEGMENT),
        "batch_id": F.lit(batch.batch_id),
        "run_id": F.lit(batch.run_id),
        "feature_versions": F.create_map(*pairs),
        "scored_at": F.lit(batch.scored_at),
        "reasons": reasons,
        "predicted_label": name_most_probable(F.col(PREDICTION)) if is_of_classes else F.lit(None),
        "probabilities": F.col(PREDICTION) if is_of_classes else F.lit(None),
    }
    return scored.select(
        *use_case.dataset.entity, *[values[name].cast(kind).alias(name) for name, kind, _ in LEDGER_COLUMNS]
    )


def _judge_batch(
    use_case: "UseCase",
    lake: Lake,
    draft: PredictionBatch,
    *,
    features: "DataFrame",
    model: PackagedModel,
    version: int,
) -> PredictionBatch:
    """Count what was written, and hold it against `scoring.hold_if`."""
    written = read_predictions(lake, draft).persist()
    try:
        counts = written.agg(F.count(PREDICTION), F.sum("predicted_class"), F.avg(PREDICTION)).collect()[0]
        answer = PREDICTED_LABEL if model.classes else PREDICTION
        reference = Reference.from_dict({answer: model.metadata["reference"][answer]})
        actual = count_bins(written.select(answer), reference)[answer]
        levels = _count_levels(written, model)
    finally:
        written.unpersist()
    checks = check_batch(
        use_case.scoring.hold_if,
        rows=counts[0],
        previous_rows=_rows_published_last(lake, draft.batch_id),
        predictions=(reference.counts[answer], actual),
        null_shares=_null_shares(features, model.feature_columns),
    )
    is_held = use_case.scoring.roles[draft.role] == "publish" and any(c.verdict == "failed" for c in checks)  # type: ignore[index]
    return replace(
        draft,
        status="held" if is_held else "scored",
        rows=counts[0],
        positives=counts[1] or 0 if model.task == "binary" else None,
        mean_prediction=counts[2],
        checks=checks,
        predictions_version=version,
        segment_levels=levels,
    )


def _count_levels(written: "DataFrame", model: PackagedModel) -> dict[str, int] | None:
    """Rows by the level of the model that served them; no more names come than the version has models."""
    if model.family is None:
        return None
    found = model.family.count_served(dict(written.groupBy(SEGMENT).count().collect()))
    told = ", ".join(f"{level} {rows}" for level, rows in found.items())
    logger.info("rows by the level of the model that served them: %s", told)
    return found


def _rows_published_last(lake: Lake, batch_id: str) -> int | None:
    """Rows of the batch published last, other than this one."""
    earlier = [batch for batch in read_batches(lake, "status = 'published'") if batch.batch_id != batch_id]
    return earlier[-1].rows if earlier else None


def _null_shares(features: "DataFrame", columns: Sequence[str]) -> dict[str, float]:
    is_missing = [F.avg(F.col(f"`{column}`").isNull().cast("double")).alias(column) for column in columns]
    shares = features.agg(*is_missing).collect()[0].asDict()
    return {column: share for column, share in shares.items() if share is not None}


def _publish(use_case: "UseCase", lake: Lake, batch: PredictionBatch) -> tuple[PredictionBatch, list[Commit]]:
    commit = publish_predictions(lake, batch, key=use_case.dataset.key_columns())
    published = replace(batch, status="published", current_version=commit.version, published_at=datetime.now(UTC))
    before = read_batches(lake, f"status = 'published' AND batch_id = '{batch.batch_id}'")
    superseded = [replace(b, status="superseded") for b in before if b.model_version != batch.model_version]
    noted = write_batches(lake, [published, *superseded], write_id=f"{batch.run_id}:published")
    logger.info("batch %s: %d rows published by version %d", batch.batch_id, batch.rows, batch.model_version)
    return published, [commit, noted]
