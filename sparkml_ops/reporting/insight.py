"""What a model's package says beyond its figures: what it looks at, and what its training found. Plain values."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DependencePoint:
    """Rows with like values of a column: what it adds to their log odds on average.

    Attributes:
        kind: range, level, others or missing.
        label: the values in words.
        value: the mean of a range.
    """

    kind: str
    label: str
    rows: int
    value: float | None
    contribution: float


@dataclass(frozen=True)
class ColumnImportance:
    """How much a feature column moves the answers, and which way; no groups where that is not known or withheld."""

    name: str
    value: float
    lower: float | None = None
    upper: float | None = None
    groups: tuple[DependencePoint, ...] = ()


@dataclass(frozen=True)
class FindingFacts:
    """Something that the diagnosis of a training found, and what to try; severity is attention or info."""

    finding: str
    severity: str
    sentence: str
    advice: str


@dataclass(frozen=True)
class DiagnosisFacts:
    """All of it; `told` says what was measured."""

    findings: tuple[FindingFacts, ...]
    told: str
