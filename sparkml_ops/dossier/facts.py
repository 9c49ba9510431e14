"""What is told of one prediction: plain values, each from a record of its own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ScoredRow:
    """A row of `predictions`.

    Attributes:
        entity: the entity columns.
        as_of: the moment of the decision.
        prediction: as the ledger has it; so are the class, the label, the probabilities and the reasons.
        predicted_class: 1 or 0; None where the task has no two classes.
        predicted_label: of several classes the most probable one.
        probabilities: of several classes each one's probability.
        reasons: the features that moved the prediction most, with their contributions; None where none were asked for.
        segment: whose model served the row.
        model_name: the model.
        model_version: its version.
        role: in which it was scored.
        batch_id: the batch.
        run_id: the run that scored it.
        feature_versions: version of each features table that was looked up.
        scored_at: when it was scored.
        status: of its batch, model version and role; None where `prediction_batches` has none.
    """

    entity: Mapping[str, Any]
    as_of: datetime
    prediction: float
    predicted_class: int | None
    predicted_label: str | None
    probabilities: Mapping[str, float] | None
    reasons: tuple[Mapping[str, Any], ...] | None
    segment: str | None
    model_name: str
    model_version: int
    role: str
    batch_id: str
    run_id: str
    feature_versions: Mapping[str, int]
    scored_at: datetime
    status: str | None


@dataclass(frozen=True)
class SourceFile:
    """A file, the batch that it was taken in by, and how many of the rows came from it."""

    path: str | None
    batch_id: str | None
    rows: int


@dataclass(frozen=True)
class Origin:
    """A table that something was made of.

    Attributes:
        table: its name.
        version: the version that was read, as recorded.
        matched_by: which of its rows are meant, in SQL; empty where they cannot be told.
        rows: how many there are; None where they cannot be told.
        files: where these came from, the newest batches first, at most five.
        more_files: how many there are beside these.
        note: why something is not told.
    """

    table: str
    version: int
    matched_by: str = ""
    rows: int | None = None
    files: tuple[SourceFile, ...] = ()
    more_files: int = 0
    note: str = ""


@dataclass(frozen=True)
class LookedUpView:
    """What a feature view gave to the row.

    Attributes:
        view: its name.
        table: its table.
        version: the version that was looked up, as the prediction has it; None where it has none.
        timestamp: of the row that counted; None where there was none.
        known_at: since when that row was known.
        values: the feature columns, as the model got them.
        origins: what the version was made of.
        note: why something is not told.
    """

    view: str
    table: str
    version: int | None
    timestamp: datetime | None = None
    known_at: datetime | None = None
    values: Mapping[str, Any] = field(default_factory=dict)
    origins: tuple[Origin, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Answer:
    """What the packaged model says to the features that were looked up again.

    Attributes:
        is_equal: whether it is what is recorded, but for rounding; None where it could not be asked.
        prediction: what it says.
        difference: from what is recorded.
        note: why it could not be asked, or what else is not the same.
    """

    is_equal: bool | None
    prediction: float | None = None
    difference: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Model:
    """The version that scored the row, from the registry and its package.

    Attributes:
        name: its name.
        version: its version.
        is_there: whether the registry still has it.
        aliases: that point to it today.
        training_set: the version of its training set.
        facts: who trained it, when, by what; figures on its test rows.
        card: its card, as Markdown; None where its files are gone.
        note: why something is not told.
    """

    name: str
    version: int
    is_there: bool
    aliases: tuple[str, ...] = ()
    training_set: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    card: str | None = field(default=None, repr=False)
    note: str = ""


@dataclass(frozen=True)
class Decision:
    """A row of `promotions` about the version."""

    decided_at: datetime
    decision: str
    from_version: int | None
    to_version: int | None
    reason: str
    decided_by: str
    run_id: str
    training_set: str = ""
    gates: tuple[Mapping[str, Any], ...] = ()
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Decisions:
    """How the version came to score, and what became of it.

    Attributes:
        serving: the decision by which it was champion when it scored the row; None where there is none.
        judged: the decision in which the gates were asked about it last before that; often the same.
        champion_then: the champion when the row was scored, as the decisions have it; None where there was none.
        history: all decisions that concern it, oldest first, at most the newest twenty.
        more: how many older ones there are.
        note: why something is not told.
    """

    serving: Decision | None = None
    judged: Decision | None = None
    champion_then: int | None = None
    history: tuple[Decision, ...] = ()
    more: int = 0
    note: str = ""


@dataclass(frozen=True)
class RowExplanation:
    """Everything that is recorded about one prediction.

    Attributes:
        use_case: whose prediction.
        row: the prediction.
        beside: the same decision, as others scored it in the same batch.
        current: what consumers read of this decision today: model version, batch and prediction; None where nothing.
        batch: its row of `prediction_batches`; None where there is none.
        run: the row of `runs` of the step that scored it; None where there is none.
        model: the version that scored it.
        decisions: who let it serve, on what evidence.
        training_set: its row of `training_sets`; None where there is none.
        request: what the row that was asked about came from.
        views: the features that were looked up.
        derived: the columns that were computed over them.
        definition: whose definition of the views was used to look them up again.
        answer: what the packaged model says to these features.
        missing: what is not recorded, or not there any more, each by its name.
    """

    use_case: str
    row: ScoredRow
    beside: tuple[ScoredRow, ...]
    current: Mapping[str, Any] | None
    batch: Mapping[str, Any] | None
    run: Mapping[str, Any] | None
    model: Model
    decisions: Decisions
    training_set: Mapping[str, Any] | None
    request: tuple[Origin, ...]
    views: tuple[LookedUpView, ...]
    derived: Mapping[str, Any]
    definition: str
    answer: Answer
    missing: tuple[str, ...]
