"""`promotions`: what was decided about which model, by whom, why, on what evidence."""

import getpass
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal

from pyspark.sql import functions as F

from sparkml_ops.errors import ConflictError
from sparkml_ops.lake import Commit, Lake, append_once, read_table, table_exists
from sparkml_ops.promotion.gates import GateResult

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PROMOTIONS = "promotions"
_SCHEMA = (
    "decision_id string, decided_at timestamp, model_name string, decision string, from_version int, to_version int, "
    "is_opposed boolean, reason string, gates array<struct<gate: string, verdict: string, figure: double, threshold: double, "
    "reason: string>>, evidence string, training_set_version string, decided_by string, run_id string"
)
AWAITING: Final = "awaiting_approval"
SWITCHES = frozenset({"promoted", "rolled_back"})
"""Decisions that move the champion."""
SHADOWS = frozenset({"shadowed", "unshadowed"})
"""Decisions that move the shadow."""
DecisionKind = Literal["promoted", "refused", "reported", "rolled_back", "awaiting_approval", "shadowed", "unshadowed"]


@dataclass(frozen=True)
class Switch:
    """The newest decision that moved the champion, as another has to follow it."""

    decision_id: str
    decided_at: datetime
    from_version: int | None
    to_version: int


@dataclass(frozen=True)
class Decision:
    """One row of `promotions`.

    Attributes:
        decision_id: unique.
        decided_at: when.
        model_name: the model.
        decision: promoted, refused, reported (the gates only report), rolled_back, awaiting_approval by a person, shadowed or unshadowed.
        from_version: the champion before, or of a shadow the shadow; None when there was none.
        to_version: the version that was decided about; None where there is no shadow any more.
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
    to_version: int | None
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
    model: tuple[str, int | None, int | None],
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


def record_decision(lake: Lake, decision: Decision, *, after: Switch | None = None) -> Commit:
    """Append a decision, once.

    One that moves the champion is named by the one before it. So of two that were made beside each other, by processes that no lease
    kept apart, the second is told, and writes nothing.

    Args:
        lake: where the tables are.
        decision: the decision.
        after: the newest switch when it was made.

    Raises:
        ConflictError: another one moved the champion since.
    """
    if decision.decision not in SWITCHES:
        return append_once(lake, PROMOTIONS, _to_rows(lake, decision), write_id=decision.decision_id)
    rows = _to_rows(lake, _date_after(decision, after))
    follows = f"switch after {after.decision_id if after else 'nothing'}"
    try:
        return append_once(lake, PROMOTIONS, rows, write_id=follows, fingerprint=decision.decision_id)
    except ConflictError as error:
        if last_switch(lake) == after:  # a decision that followed was deleted by hand: it is not in the way
            return append_once(lake, PROMOTIONS, rows, write_id=decision.decision_id)
        raise ConflictError(
            f"another promotion or rollback of {decision.model_name} was decided meanwhile, and nothing was changed by this one. "
            f"`sparkml-ops champions {lake.use_case}` tells who; decide again if it is still wanted."
        ) from error


def _to_rows(lake: Lake, decision: Decision) -> "DataFrame":
    return lake.spark.createDataFrame([asdict(decision)], _SCHEMA)


def _date_after(decision: Decision, switch: Switch | None) -> Decision:
    """Switches are told apart by their time: that of a machine whose clock is behind comes right after the one before."""
    if switch is None or decision.decided_at > switch.decided_at:
        return decision
    return replace(decision, decided_at=switch.decided_at + timedelta(microseconds=1))


def last_switch(lake: Lake) -> Switch | None:
    """The newest decision that moves the champion; None when there is none."""
    if not table_exists(lake, PROMOTIONS):
        return None
    moves = read_table(lake, PROMOTIONS).where(F.col("decision").isin(*SWITCHES))
    newest = moves.orderBy(F.desc("decided_at")).select(*(field.name for field in fields(Switch))).first()
    if newest is None:
        return None
    return Switch(**newest.asDict() | {"decided_at": newest["decided_at"].astimezone(UTC)})


def find_last_decision(lake: Lake, version: int) -> Decision | None:
    """The newest decision about a version; None when nothing was decided about it."""
    if not table_exists(lake, PROMOTIONS):
        return None
    about = read_table(lake, PROMOTIONS).where((F.col("to_version") == version) & ~F.col("decision").isin(*SHADOWS))
    newest = about.orderBy(F.desc("decided_at")).select(*(field.name for field in fields(Decision))).first()
    if newest is None:
        return None
    plain = newest.asDict(recursive=True)
    return Decision(**plain | {"gates": tuple(GateResult(**gate) for gate in plain["gates"] or ())})


def find_champion(lake: Lake) -> int | None:
    """The champion's version, as the decisions have it; None when none was ever promoted."""
    switch = last_switch(lake)
    return None if switch is None else switch.to_version
