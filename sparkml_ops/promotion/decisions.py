"""`promotions`: what was decided about which model, by whom, why, on what evidence."""

import getpass
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any, Final, Literal

from pyspark.sql import functions as F

from sparkml_ops.lake import Commit, Lake, append_once, read_table, table_exists
from sparkml_ops.promotion.gates import GateResult

PROMOTIONS = "promotions"
_SCHEMA = (
    "decision_id string, decided_at timestamp, model_name string, decision string, from_version int, to_version int, "
    "is_opposed boolean, reason string, gates array<struct<gate: string, verdict: string, figure: double, threshold: double, "
    "reason: string>>, evidence string, training_set_version string, decided_by string, run_id string"
)
AWAITING: Final = "awaiting_approval"
DecisionKind = Literal["promoted", "refused", "reported", "rolled_back", "awaiting_approval"]


@dataclass(frozen=True)
class Decision:
    """One row of `promotions`.

    Attributes:
        decision_id: unique.
        decided_at: when.
        model_name: the model.
        decision: promoted, refused, reported (the gates only report), rolled_back, or awaiting_approval by a person.
        from_version: the champion before; None when there was none.
        to_version: the version that was decided about.
        is_opposed: whether there was a champion to be better than.
        reason: in one sentence.
        gates: what each gate said.
        evidence: figures as JSON.
        training_set_version: that of the candidate.
        decided_by: the user, or who approved it.
        run_id: the run.
    """

    decision_id: str
    decided_at: datetime
    model_name: str
    decision: DecisionKind
    from_version: int | None
    to_version: int
    is_opposed: bool
    reason: str
    gates: tuple[GateResult, ...]
    evidence: str
    training_set_version: str
    decided_by: str
    run_id: str


def make_decision(
    decision: DecisionKind,
    *,
    model: tuple[str, int | None, int],
    reason: str,
    gates: Sequence[GateResult] = (),
    evidence: dict[str, Any] | None = None,
    origin: tuple[str, str],
) -> Decision:
    """Put a decision together.

    Args:
        decision: what was decided.
        model: its name, the champion before, the version decided about.
        reason: in one sentence.
        gates: what each gate said.
        evidence: figures.
        origin: training set version of the candidate, and the run.
    """
    return Decision(
        decision_id=uuid.uuid4().hex,
        decided_at=datetime.now(UTC),
        model_name=model[0],
        decision=decision,
        from_version=model[1],
        to_version=model[2],
        is_opposed=model[1] is not None,
        reason=reason,
        gates=tuple(gates),
        evidence=json.dumps(evidence or {}, sort_keys=True),
        training_set_version=origin[0],
        decided_by=getpass.getuser(),
        run_id=origin[1],
    )


def record_decision(lake: Lake, decision: Decision) -> Commit:
    """Append a decision, once."""
    return append_once(
        lake, PROMOTIONS, lake.spark.createDataFrame([asdict(decision)], _SCHEMA), write_id=decision.decision_id
    )


def last_switch(lake: Lake) -> tuple[int | None, int] | None:
    """From and to of the newest decision that moves the champion; None when there is none."""
    if not table_exists(lake, PROMOTIONS):
        return None
    moves = read_table(lake, PROMOTIONS).where(F.col("decision").isin("promoted", "rolled_back"))
    newest = moves.orderBy(F.desc("decided_at")).select("from_version", "to_version").first()
    return None if newest is None else (newest["from_version"], newest["to_version"])


def find_last_decision(lake: Lake, version: int) -> Decision | None:
    """The newest decision about a version; None when nothing was decided about it."""
    if not table_exists(lake, PROMOTIONS):
        return None
    about = read_table(lake, PROMOTIONS).where(F.col("to_version") == version)
    newest = about.orderBy(F.desc("decided_at")).select(*(field.name for field in fields(Decision))).first()
    if newest is None:
        return None
    plain = newest.asDict(recursive=True)
    return Decision(**plain | {"gates": tuple(GateResult(**gate) for gate in plain["gates"] or ())})


def find_champion(lake: Lake) -> int | None:
    """The champion's version, as the decisions have it; None when none was ever promoted."""
    switch = last_switch(lake)
    return None if switch is None else switch[1]
