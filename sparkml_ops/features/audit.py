"""Audit a training set for leakage: does it know what could not be known when its decisions were made?"""

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.dataset import HashSplit
from sparkml_ops.config.use_case import hash_config
from sparkml_ops.features.audit_figures import (
    AuditFigure,
    accept_known,
    judge_duplicates,
    judge_overlap,
    judge_telling,
)
from sparkml_ops.features.audit_history import HistoryCheck, check_history
from sparkml_ops.features.definitions import with_definition
from sparkml_ops.features.overlaps import find_duplicates, find_overlap
from sparkml_ops.features.stored_differences import draw_rows
from sparkml_ops.features.telling_features import correlate_with_time, split_labels, tell_features
from sparkml_ops.features.training_sets import LATEST, TrainingSet, choose_training_set
from sparkml_ops.lake import Metric, new_run_id, read_table, record_metrics, record_step

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

logger = logging.getLogger(__name__)

STEP, SCOPE = "audit", "audit"
MOST_VALUES = 20_000_000
"""Values that figures of features are made from: each is a row for Spark to sort, so with many columns there are fewer rows."""


@dataclass(frozen=True)
class AuditResult:
    """What an audit found.

    Attributes:
        run_id: the run it belongs to.
        training_set: the version that was audited.
        rows: rows of it.
        sampled: rows that figures of features are of.
        history: what was computed again from history, by view.
        figures: every figure, findings first.
    """

    run_id: str
    training_set: str
    rows: int
    sampled: int
    history: tuple[HistoryCheck, ...]
    figures: tuple[AuditFigure, ...]

    @property
    def findings(self) -> tuple[AuditFigure, ...]:
        """The figures past their limits that nothing is said for."""
        return tuple(figure for figure in self.figures if figure.verdict == "alert")


def audit_training_set(
    use_case: "UseCase",
    lake: "Lake",
    *,
    training_set: str | None = None,
    rows: int | None = None,
    seed: int = 0,
    run_id: str | None = None,
) -> AuditResult:
    """Look for leakage in a version of the training set, by its own definition and today's limits.

    Args:
        use_case: the use case; its section `audit` has the limits.
        lake: where its tables are.
        training_set: a version, or the beginning of its name; the newest by default.
        rows: how many rows to compute again from history; `audit.rows` by default.
        seed: which rows are drawn.
        run_id: the run this belongs to; a new one by default.

    Raises:
        TableNotFoundError: there is no such training set.
        ConfigError: several begin so.
    """
    run = run_id or new_run_id()
    limits = use_case.audit if rows is None else use_case.audit.model_copy(update={"rows": rows})
    with record_step(lake, run_id=run, step=STEP, config_hash=hash_config(limits, seed)) as record:
        made = choose_training_set(lake, training_set or LATEST)
        asked = with_definition(use_case, made.definition).model_copy(update={"audit": limits})
        record.read(made.table, made.table_version, sum(made.rows.values()))
        record.note("training_set", made.version)
        result = _audit(asked, lake, made, seed=seed, run_id=run)
        record.wrote(
            record_metrics(lake, _list_metrics(result), run_id=run, step=STEP, write_id=f"audit:{run}:{made.version}")
        )
        record.note("findings", len(result.findings))
        for history in result.history:
            record.note(f"history_{history.view}", history.describe())
        if result.findings:
            first = result.findings[0]
            record.refuse(f"{len(result.findings)} findings, first {first.check} of {first.subject}")
    logger.info("audit of %s: %d findings in %d figures", made.version, len(result.findings), len(result.figures))
    return result


def _audit(use_case: "UseCase", lake: "Lake", made: TrainingSet, *, seed: int, run_id: str) -> AuditResult:
    dataset, limits = use_case.dataset, use_case.audit
    rows = read_table(lake, made.table, version=made.table_version)
    personal = frozenset[str]().union(*(source.personal_columns() for source in use_case.sources.values()))
    drawn = draw_rows(
        rows,
        made.feature_columns,
        key=dataset.key_columns(),
        timestamp=dataset.timestamp,
        number=limits.rows,
        seed=seed,
        withhold=personal,
    )
    history = check_history(use_case, lake, made, drawn, hide_texts=bool(personal))
    sample = _take_sample(rows, use_case, total=sum(made.rows.values()), seed=seed)
    figures = [
        *(figure for each in history for figure in each.figures),
        *_judge_features(sample, use_case, made, seed=seed),
        *_judge_parts(rows, use_case, made, withhold=personal),
    ]
    known = accept_known(figures, limits.accept)
    order = ("alert", "accepted", "no_data", "ok")
    return AuditResult(
        run_id=run_id,
        training_set=made.version,
        rows=sum(made.rows.values()),
        sampled=sample.count(),
        history=tuple(history),
        figures=tuple(sorted(known, key=lambda figure: order.index(figure.verdict))),
    )


def _take_sample(rows: "DataFrame", use_case: "UseCase", *, total: int, seed: int) -> "DataFrame":
    """About `audit.sample_rows` rows, told by a hash of their keys: the same ones each time they are read."""
    wanted = min(use_case.audit.sample_rows, MOST_VALUES // len(use_case.feature_columns()))
    if total <= wanted:
        return rows
    dealt = F.pmod(F.xxhash64(F.lit(seed), F.lit("sample"), *use_case.dataset.key_columns()), F.lit(total))
    return rows.filter(dealt < wanted)


def _judge_features(sample: "DataFrame", use_case: "UseCase", made: TrainingSet, *, seed: int) -> list[AuditFigure]:
    dataset, limits = use_case.dataset, use_case.audit
    classed = sample if made.task == "binary" else split_labels(sample)
    told = tell_features(classed, made.feature_columns, key=dataset.key_columns(), seed=seed)
    unique = [
        each.feature
        for each in told
        if each.distinct is not None and each.distinct > limits.unique_over and not each.is_whole
    ]
    clocks = correlate_with_time(sample, unique, timestamp=dataset.timestamp)
    return [figure for each in told for figure in judge_telling(each, limits, clock=clocks.get(each.feature))]


def _judge_parts(
    rows: "DataFrame", use_case: "UseCase", made: TrainingSet, *, withhold: Collection[str]
) -> list[AuditFigure]:
    dataset, split = use_case.dataset, use_case.dataset.split
    key, together = dataset.key_columns(), split.of if isinstance(split, HashSplit) else split.groups
    figures = [judge_overlap("shared_keys", key, find_overlap(rows, key, withhold=withhold))]
    if together:
        figures.append(judge_overlap("shared_groups", together, find_overlap(rows, together, withhold=withhold)))
    duplicates = find_duplicates(rows, made.feature_columns)
    return [*figures, judge_duplicates(duplicates, made.feature_columns, limit=use_case.audit.duplicate_rows_over)]


def _list_metrics(result: AuditResult) -> list[Metric]:
    verdicts: Mapping[str, str] = {"accepted": "info"}
    return [
        Metric(
            scope=SCOPE,
            subject=figure.subject,
            name=figure.check,
            value=figure.value,
            threshold=figure.limit,
            verdict=verdicts.get(figure.verdict, figure.verdict),
            batch_id=result.training_set,
            details=figure.message or None,
        )
        for figure in result.figures
    ]
