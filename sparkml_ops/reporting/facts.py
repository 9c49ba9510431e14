"""What the page tells: plain values. Instants are UTC, shares are from 0 to 1."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sparkml_ops.catalog import CatalogEntry
from sparkml_ops.lake import Metric
from sparkml_ops.reporting.insight import ColumnImportance, DiagnosisFacts

CHAMPION, PREDICTION = "champion", "prediction"
COMPARED_METRICS = {
    "binary": ("roc_auc", "pr_auc"),
    "regression": ("rmse", "r2"),
    "multiclass": ("log_loss", "accuracy"),
}
"""What the page compares models by, by task; the first is the headline."""
OBSERVED_NAMES = {
    "binary": "share of positives",
    "regression": "mean label",
    "multiclass": "share of the predicted class",
}
"""What stands beside a mean prediction, by task."""


@dataclass(frozen=True)
class StepFacts:
    """One row of the run ledger; `outputs` by table: version and rows."""

    run_id: str
    step: str
    status: str
    started_at: datetime
    ended_at: datetime
    duration_seconds: float
    outputs: tuple[tuple[str, int, int | None], ...]
    details: Mapping[str, str]
    error: str | None


@dataclass(frozen=True)
class SourceFacts:
    """The last batch of a source that was taken in; None where nothing was yet."""

    source: str
    batch_id: str | None = None
    ended_at: datetime | None = None
    files: int | None = None
    rows_in: int | None = None
    rows_clean: int | None = None
    rows_quarantined: int | None = None
    rows_aside: int = 0  # of changes merged by an order: deletions, and rows that a later one supersedes

    @property
    def is_balanced(self) -> bool:
        """Whether every row that came in is in one of the two tables, or told as a deletion or superseded."""
        return self.rows_in == (self.rows_clean or 0) + (self.rows_quarantined or 0) + self.rows_aside


@dataclass(frozen=True)
class ViolationFacts:
    """Rows of a source's last batch that broke a rule."""

    source: str
    rule: str
    rows: int


@dataclass(frozen=True)
class TrainingSetFacts:
    """The newest training set; rows and positives by part, or of a regression mean and other figures of the labels."""

    version: str
    table: str
    created_at: datetime
    rows: Mapping[str, int]
    positives: Mapping[str, int]
    left_out: Mapping[str, int]
    features: int
    labels: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class CalibrationPoint:
    """A tenth of the test rows, alike in their prediction."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True)
class ModelCard:
    """What the packaged model says of itself; empty where it does not say. `span`: between which predictions shares are told.

    Of several classes `confusion` has the rows of each label by the most probable class, in the order of `classes`.
    """

    version: int
    training_set: str | None = None
    estimator: str | None = None
    params: Mapping[str, str] = field(default_factory=dict)
    trials: int | None = None
    judged_rows: int | None = None
    judged_positives: int | None = None
    calibration: tuple[CalibrationPoint, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    reference_shares: tuple[float, ...] = ()
    span: tuple[float, float] = (0.0, 1.0)
    importance: tuple[ColumnImportance, ...] = ()
    importance_method: str | None = None
    importance_rows: int | None = None
    diagnosis: DiagnosisFacts | None = None
    classes: tuple[str, ...] = ()
    confusion: tuple[tuple[str, tuple[int, ...]], ...] = ()


@dataclass(frozen=True)
class ModelFacts:
    """The model that the page is about.

    Attributes:
        champion: the champion by the last decision; None when there is none.
        alias: the champion in the registry; None when it was not asked or has none.
        newest: the version trained last.
        figures: `evaluation` rows of the champion and of the newest version.
        card: of the champion, or of the newest version where there is no champion.
        note: why there is no card.
    """

    champion: int | None = None
    alias: int | None = None
    newest: int | None = None
    figures: tuple[Metric, ...] = ()
    card: ModelCard | None = None
    note: str | None = None

    @property
    def shown(self) -> int | None:
        """The version that the page is about."""
        return self.newest if self.champion is None else self.champion

    def find_figure(self, subject: str, name: str, *, version: int | None = None) -> Metric | None:
        """A figure of the shown version, or of another."""
        wanted = (subject, name, self.shown if version is None else version)
        return next((m for m in self.figures if (m.subject, m.name, m.model_version) == wanted), None)


@dataclass(frozen=True)
class CheckFacts:
    """What a gate or a check said."""

    name: str
    verdict: str
    figure: float | None
    threshold: float | None
    reason: str


@dataclass(frozen=True)
class DecisionFacts:
    """One row of `promotions`; evidence: value, lower and upper by model and metric."""

    decided_at: datetime
    decision: str
    from_version: int | None
    to_version: int
    is_opposed: bool
    reason: str
    decided_by: str
    gates: tuple[CheckFacts, ...]
    evidence: Mapping[str, Mapping[str, tuple[float | None, ...]]]


@dataclass(frozen=True)
class BatchFacts:
    """One row of `prediction_batches`, with who decided its status last, and why."""

    batch_id: str
    model_version: int
    role: str
    status: str
    rows: int
    positives: int | None
    mean_prediction: float | None
    scored_at: datetime
    published_at: datetime | None
    checks: tuple[CheckFacts, ...]
    decided_by: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class DayFacts:
    """Predictions of one day, and the share of positives where it is recorded."""

    day: str
    rows: int
    predicted: float
    observed: float | None = None


@dataclass(frozen=True)
class ScoringFacts:
    """Newest batches first; shares and days are of the published one."""

    batches: tuple[BatchFacts, ...] = ()
    published: BatchFacts | None = None
    shares: tuple[float, ...] = ()
    days: tuple[DayFacts, ...] = ()

    @property
    def last(self) -> BatchFacts | None:
        """The batch scored last by the champion."""
        return next((batch for batch in self.batches if batch.role == CHAMPION), None)


@dataclass(frozen=True)
class AlertFacts:
    """One row of `alerts`."""

    raised_at: datetime
    kind: str
    subject: str
    batch_id: str
    message: str


@dataclass(frozen=True)
class MonitoringFacts:
    """The figures of the last look; `history`: the headline metric of earlier batches too, oldest first."""

    measured_at: datetime | None = None
    batch_id: str | None = None
    model_version: int | None = None
    drift: tuple[Metric, ...] = ()
    performance: tuple[Metric, ...] = ()
    freshness: Metric | None = None
    history: tuple[Metric, ...] = ()
    alerts: tuple[AlertFacts, ...] = ()

    @property
    def alarming(self) -> tuple[Metric, ...]:
        """Figures of the last look that are past their limit."""
        figures = (*self.drift, *self.performance, *filter(None, [self.freshness]))
        return tuple(figure for figure in figures if figure.verdict == "alert")


@dataclass(frozen=True)
class Facts:
    """All that the page tells; `newest_steps` is the newest row of each step, `recent_steps` the last rows of all."""

    use_case: str
    description: str
    owner: str
    environment: str
    written_at: datetime
    run_id: str | None
    task: str = "binary"
    sources: tuple[SourceFacts, ...] = ()
    violations: tuple[ViolationFacts, ...] = ()
    training_set: TrainingSetFacts | None = None
    model: ModelFacts = ModelFacts()
    decisions: tuple[DecisionFacts, ...] = ()
    slices: tuple[Metric, ...] = ()
    scoring: ScoringFacts = ScoringFacts()
    monitoring: MonitoringFacts = MonitoringFacts()
    newest_steps: tuple[StepFacts, ...] = ()
    recent_steps: tuple[StepFacts, ...] = ()
    tables: tuple[CatalogEntry, ...] = ()

    @property
    def headline(self) -> str:
        """The metric that is told first."""
        return COMPARED_METRICS[self.task][0]

    @property
    def is_share(self) -> bool:
        """Whether predictions are probabilities, and what comes of them shares."""
        return self.task != "regression"

    @property
    def is_binary(self) -> bool:
        """Whether labels are 0 and 1."""
        return self.task == "binary"

    @property
    def observed(self) -> str:
        """What stands beside a mean prediction."""
        return OBSERVED_NAMES[self.task]
