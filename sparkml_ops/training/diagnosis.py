"""Figures -> findings: what is wrong with a training, in words, and what to try. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

NAMED = 5


@dataclass(frozen=True)
class Finding:
    """Something that a person should know about a training.

    Attributes:
        finding: Its name, always the same for the same thing.
        severity: `attention` when the model or its figures suffer; `info` when it could be better.
        sentence: What was found.
        figures: What it rests on, by name.
        advice: What to try.
    """

    finding: str
    severity: Literal["attention", "info"]
    sentence: str
    figures: Mapping[str, float]
    advice: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self)


def name_some(names: Sequence[str]) -> str:
    """`a, b`, or the first five and how many more."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more


def count_columns(count: int) -> str:
    """`1 column`, `3 columns`."""
    return f"{count:,} column{'' if count == 1 else 's'}"
