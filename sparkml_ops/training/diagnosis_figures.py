"""What a diagnosis rests on: plain figures, without any judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; None where it is not known."""

    value: float | None
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class DataFigures:
    """The rows.

    Attributes:
        rows: By part.
        positives: By part; empty where labels are no classes.
        days: Distinct days (UTC) by part.
        repeated: Training rows that another one equals in moment, label and all features; the first of them not counted.
        columns: Feature columns that are learned from.
        left_out: Why other columns are left out.
        missing: Share of missing values in the training rows, by feature column.
    """

    rows: Mapping[str, int]
    positives: Mapping[str, int]
    days: Mapping[str, int]
    repeated: int
    columns: int
    left_out: Mapping[str, str]
    missing: Mapping[str, float]


@dataclass(frozen=True)
class Shift:
    """How far a column's values in a later part are from those of the training rows (PSI), and what chance explains."""

    column: str
    part: str
    psi: float
    chance: float


@dataclass(frozen=True)
class FitFigures:
    """The metric that was optimised. What knows no feature is `trivial`; by part, since it depends on the part's base rate.

    Attributes:
        metric: Its name.
        train: Of the model fitted on train, on the rows that it learned from.
        valid: Of the same model on valid.
        test: Of the candidate on test.
        linear: Of the linear baseline on test.
        trivial: By part.
    """

    metric: str
    train: float | None = None
    valid: float | None = None
    test: float | None = None
    linear: float | None = None
    trivial: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class CurvePoint:
    """The metric on valid of a model that was fitted on so many rows of train."""

    rows: int
    value: float | None


@dataclass(frozen=True)
class Shuffled:
    """How much worse the metric on valid is with a column's values shuffled; above zero the column helps."""

    column: str
    loss: Estimate


@dataclass(frozen=True)
class SuspectFigures:
    """Rows of valid whose label contradicts a confident prediction, or is a number far from it, and the keys of at most five."""

    rows: int
    looked_at: int
    keys: Sequence[str] = ()
    are_numbers: bool = False


@dataclass(frozen=True)
class DiagnosisFigures:
    """All of them. What could not be measured, because there are too few rows or a single class, is empty.

    Attributes:
        data: The rows.
        fit: The metric.
        curve: The learning curve, fewest rows first.
        last_gain: What the last point of it is better than the one before, which has half the rows.
        shuffled: By feature column, most important first.
        shifts: By feature column and part.
        shift_limit: The limit of monitoring.
        suspects: Doubtful labels; None where none are looked for.
    """

    data: DataFigures
    fit: FitFigures
    curve: Sequence[CurvePoint] = ()
    last_gain: Estimate = Estimate(None)
    shuffled: Sequence[Shuffled] = ()
    shifts: Sequence[Shift] = ()
    shift_limit: float = 0.2
    suspects: SuspectFigures | None = None

    def to_dict(self) -> dict[str, Any]:
        """The small part that is kept with a version: the metric by part, and the learning curve."""
        return {
            "fit": asdict(self.fit),
            "curve": [asdict(point) for point in self.curve],
            "last_gain": asdict(self.last_gain),
        }
