"""Who scores a batch, and what each role's batch is before its rows are counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.models import (
    ModelVersion,
    PackagedModel,
    find_version,
    list_aliases,
    load_version,
    prepare_tracking,
)
from sparkml_ops.scoring.ledger import PredictionBatch
from sparkml_ops.scoring.request import ScoringRequest, Wanted

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase

Roles = dict[str, tuple[ModelVersion, PackagedModel]]


@dataclass(frozen=True)
class Asked:
    """What is the same for all roles of a batch.

    Attributes:
        request: the rows.
        wanted: what was asked.
        features: the rows with what was known at their moments.
        versions: version of each table that was looked up.
        rows_from: version of each table that was read, the newest that changed rows.
        known: the batch as it is noted so far, by model version and role.
        run_id: the run.
    """

    request: ScoringRequest
    wanted: Wanted
    features: "DataFrame"
    versions: Mapping[str, int]
    rows_from: Mapping[str, int]
    known: Mapping[tuple[int, str], PredictionBatch]
    run_id: str


def load_roles(use_case: "UseCase") -> Roles:
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


def find_publisher(use_case: "UseCase", models: Roles) -> tuple[ModelVersion, PackagedModel]:
    """The version whose answers are published, and its model."""
    return models[use_case.scoring.publisher]


def count_reasons(use_case: "UseCase", role: str) -> int:
    """How many reasons each row gets: only consumers are told any."""
    return use_case.scoring.explain if role == use_case.scoring.publisher else 0


def is_settled(use_case: "UseCase", batch: PredictionBatch) -> bool:
    """Whether nothing is left to do for a batch: it is published, or its role never publishes."""
    return batch.status == "published" or (batch.status == "scored" and batch.role != use_case.scoring.publisher)


def draft_batch(
    use_case: "UseCase", asked: Asked, *, role: str, version: ModelVersion, before: PredictionBatch | None
) -> PredictionBatch:
    """The batch before its rows are counted; its fingerprint tells all that the rows are made from."""
    request, scoring = asked.request, use_case.scoring
    requested, looked_up = (
        {table: at for table, at in asked.rows_from.items() if (table in request.versions) == is_asked}
        for is_asked in (True, False)
    )
    span = [str(asked.wanted.since), str(asked.wanted.until)]
    answers = (scoring.relation, scoring.as_of, scoring.threshold, count_reasons(use_case, role), span)
    made_from = (*answers, use_case.dataset.derived, looked_up, requested, version.digest)
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
        run_id=asked.run_id,
        scored_at=datetime.now(UTC),
        current_version=before.current_version if before else None,
        published_at=before.published_at if before else None,
        history=before.history if before else (),
        rows_refused=request.rows_refused,
    )
