"""One model per segment: fitted in parallel on Spark, level by level, and kept where it is better than its parent's."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.config.segments import SegmentBy
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import TrainingError
from sparkml_ops.models import PackagedModel
from sparkml_ops.models.family import pack_family, store_estimator
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.kinds.trust import list_named_packages
from sparkml_ops.models.segments import GLOBAL, SegmentColumn
from sparkml_ops.training.estimators import FitSettings
from sparkml_ops.training.mapped_segments import MappedLevel
from sparkml_ops.training.matrix import map_matrix
from sparkml_ops.training.probes import group_positions
from sparkml_ops.training.segment_columns import tell_columns
from sparkml_ops.training.segment_fits import JudgedSegment, SegmentTask, with_one_thread
from sparkml_ops.training.segment_importance import Looked, summarize
from sparkml_ops.training.segment_jobs import fit_level, judge_level
from sparkml_ops.training.segment_rule import choose_kept

log = logging.getLogger(__name__)

MAX_SEGMENTS = 10_000
"""Of all levels together: their figures are in the version's metadata, and their models are loaded with it."""
MAX_FAMILY_BYTES = 512 * 2**20
"""Of all models as they are stored: the driver, and each worker that scores, holds them."""


@dataclass(frozen=True)
class FamilyFit:
    """What came of the segments.

    Attributes:
        model: The candidate with the models of segments, all fitted on train and valid.
        on_train: The same, all fitted on train alone: whose answers to valid are honest. Without segments where nobody wants them.
        facts: `segments` of the version's metadata; empty where no segments are asked for.
    """

    model: PackagedModel
    on_train: PackagedModel
    facts: Mapping[str, Any]


@dataclass(frozen=True)
class GlobalFits:
    """The model of all rows, twice: as it will serve, and fitted on train alone; and whether segments are wanted twice as well."""

    model: PackagedModel
    on_train: PackagedModel
    rounds: int
    with_train: bool = False


def fit_family(
    use_case: UseCase, rows: DataFrame, fits: GlobalFits, settings: FitSettings, *, folder: str
) -> FamilyFit:
    """The model of all rows with those of its segments, where `segment_by` asks for them; see `fit_levels`.

    Args:
        use_case: Says by what, and by which rule.
        rows: The rows of the training set.
        fits: The model of all rows.
        settings: With the winner's parameters.
        folder: Where the encoded rows are.
    """
    asked = use_case.model.segment_by
    if asked is None:
        return FamilyFit(fits.model, fits.on_train, {})
    columns = tell_columns(rows, asked)
    return fit_levels(rows.sparkSession, fits, settings, asked, columns=columns, folder=folder)


def fit_levels(
    spark: SparkSession,
    fits: GlobalFits,
    settings: FitSettings,
    asked: SegmentBy,
    *,
    columns: Sequence[SegmentColumn],
    folder: str,
) -> FamilyFit:
    """Fit and judge a model for each segment that has rows enough, and put those that are better beside the model of all rows.

    A job of Spark judges the segments of one level on train and valid, each beside the model that would serve it otherwise; a
    second one fits those that are kept on all their rows. The rows are those that each machine has mapped for the search:
    no data is read again, and nothing depends on which task a segment was in.

    Args:
        spark: Where they are fitted.
        fits: The model of all rows.
        settings: With the winner's parameters.
        asked: The rule.
        columns: By which segments are told, first level first.
        folder: Where the encoded rows are.

    Raises:
        TrainingError: There are more segments, or larger models, than a version can have; or Spark could not fit them.
    """
    started, levels, stored = time.monotonic(), _list_levels(folder), dict[str, bytes]()
    _require_few(levels, asked)
    on_train = {GLOBAL: store_estimator(find_estimator_kind(fits.model.kind), fits.on_train.estimator)}
    found: list[dict[str, Any]] = []
    looked: list[Looked] = []
    for at, level in enumerate(levels):
        task = _describe_task(asked, settings, fits, folder=folder, level=at)
        parents = _find_parents(levels, at, stored)
        wanted = [position for position, count in enumerate(level.fitted) if count >= asked.minimum_rows]
        judged = judge_level(spark, task, level, wanted, parents=parents, on_train=on_train)
        kept = _choose_segments(judged, asked)
        for one in fit_level(spark, task, level, kept, with_train=fits.with_train or at + 1 < len(levels)):
            stored[level.names[one.position]] = one.stored
            on_train[level.names[one.position]] = one.on_train or b""
            looked.append(one.looked)
        _require_small(stored)
        found += _describe_level(level, judged, at=at, parents=parents, kept=kept)
    seconds = time.monotonic() - started
    log.info("%d of %d segments have a model of their own, after %.1f s", len(stored), len(found), seconds)
    facts = {**asked.model_dump(mode="json"), "levels": _count_levels(levels, found, asked), "found": found}
    facts |= {"importance": summarize(looked, fits.model.encoder.feature_columns)}
    del on_train[GLOBAL]
    model = replace(fits.model, family=pack_family(columns, stored))
    family = pack_family(columns, on_train if fits.with_train else {})
    return FamilyFit(model, replace(fits.on_train, family=family), {"segments": facts})


def _describe_task(
    asked: SegmentBy, settings: FitSettings, fits: GlobalFits, *, folder: str, level: int
) -> SegmentTask:
    return SegmentTask(
        folder=folder,
        settings=with_one_thread(settings, settings.params),
        rounds=fits.rounds,
        level=level,
        minimum_gain=asked.minimum_gain,
        confidence=asked.confidence,
        trusted=list_named_packages(),
        groups=tuple(map(tuple, group_positions(fits.model.encoder))),
    )


def _choose_segments(judged: Sequence[JudgedSegment], asked: SegmentBy) -> list[JudgedSegment]:
    """Those whose own model is better; what could not be fitted or judged is no test."""
    tested = [one for one in judged if one.gain is not None]
    believed = choose_kept([one.p for one in tested], 1 - asked.confidence)
    return [one for one, is_kept in zip(tested, believed, strict=True) if is_kept]


def _list_levels(folder: str) -> tuple[MappedLevel, ...]:
    segments = map_matrix(folder).segments
    return () if segments is None else segments.levels


def _require_few(levels: Sequence[MappedLevel], asked: SegmentBy) -> None:
    count = sum(int((level.fitted >= asked.minimum_rows).sum()) for level in levels)
    if count > MAX_SEGMENTS:
        raise TrainingError(
            f"model.segment_by: {count:,} segments have at least {asked.minimum_rows} rows of train; at most {MAX_SEGMENTS:,} "
            "can have a model. Raise minimum_rows, or take fewer or coarser columns."
        )


def _require_small(stored: Mapping[str, bytes]) -> None:
    size = sum(len(one) for one in stored.values())
    if size > MAX_FAMILY_BYTES:
        raise TrainingError(
            f"model.segment_by: the models of {len(stored):,} segments take {size / 2**20:,.0f} MB; a version can have at most "
            f"{MAX_FAMILY_BYTES / 2**20:,.0f} MB of them. Raise minimum_rows or minimum_gain, or let models be smaller "
            "(num_leaves, n_estimators, max_depth)."
        )


def _find_parents(levels: Sequence[MappedLevel], at: int, kept: Mapping[str, bytes]) -> list[str]:
    """Whose model would serve each segment of a level."""
    if at == 0:
        return [GLOBAL] * len(levels[0].names)
    above = _find_parents(levels, at - 1, kept)
    names = levels[at - 1].names
    return [names[parent] if names[parent] in kept else above[parent] for parent in levels[at].parents]


def _describe_level(
    level: MappedLevel,
    judged: Sequence[JudgedSegment],
    *,
    at: int,
    parents: Sequence[str],
    kept: Sequence[JudgedSegment],
) -> list[dict[str, Any]]:
    chosen = {one.position for one in kept}
    return [
        _describe_segment(level, one, is_kept=one.position in chosen)
        | {"level": at + 1, "parent": parents[one.position]}
        for one in judged
    ]


def _describe_segment(level: MappedLevel, one: JudgedSegment, *, is_kept: bool) -> dict[str, Any]:
    rows, fitted = len(level.rows_of(one.position)), int(level.fitted[one.position])
    plain = {key: value for key, value in asdict(one).items() if key != "position"}
    said = one.reason or ("better than its parent's" if is_kept else "not better than its parent's beyond chance")
    name = level.names[one.position]
    return {"name": name, "kept": is_kept, "rows": fitted, "valid_rows": rows - fitted, **plain, "reason": said}


def _count_levels(
    levels: Sequence[MappedLevel], found: Sequence[Mapping[str, Any]], asked: SegmentBy
) -> list[dict[str, Any]]:
    """By level: how many segments have a model, were judged and not kept, or had too few rows."""
    return [
        {
            "columns": asked.columns[: at + 1],
            "kept": sum(one["kept"] for one in found if one["level"] == at + 1),
            "not_kept": sum(not one["kept"] for one in found if one["level"] == at + 1),
            "too_small": int((level.fitted < asked.minimum_rows).sum()) + level.too_small[0],
        }
        for at, level in enumerate(levels)
    ]
