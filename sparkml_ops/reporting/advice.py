"""What a stage's card says, and what to do next."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sparkml_ops.reporting.facts import Facts

Status = Literal["ok", "attention", "no_data"]
SHOWN = 3
LONGEST = 240


@dataclass(frozen=True)
class Advice:
    """What to do, and the command that does it; several where there is a choice."""

    text: str
    command: str


@dataclass(frozen=True)
class StageVerdict:
    """What one stage's card says."""

    stage: str
    status: Status
    sentence: str
    advice: tuple[Advice, ...] = ()


def make_command(facts: Facts, rest: str) -> str:
    """A command for this use case: `{}` in `rest` is its name."""
    environment = "" if facts.environment == "local" else f"--env {shlex.quote(facts.environment)} "
    return f"sparkml-ops {environment}{rest.format(facts.use_case)}"


def enumerate_names(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b, c and 4 more`."""
    names = [*names[:SHOWN], f"{len(names) - SHOWN} more"] if len(names) > SHOWN + 1 else list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}" if names else ""
