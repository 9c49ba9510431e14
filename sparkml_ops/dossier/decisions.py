"""Who let the version score, on what evidence, and what became of it: rows of `promotions`."""

import json
from collections.abc import Mapping
from datetime import UTC
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.dossier.facts import Decision, Decisions, ScoredRow
from sparkml_ops.lake import Lake, read_table, table_exists

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PROMOTIONS = "promotions"
_SWITCHES = frozenset({"promoted", "rolled_back"})
_MOST_SHOWN = 20


def read_decisions(lake: Lake, row: ScoredRow) -> Decisions:
    """The decisions about the version that scored a row."""
    if not table_exists(lake, PROMOTIONS):
        return Decisions(note="there is no table promotions")
    about = (F.col("to_version") == row.model_version) | (F.col("from_version") == row.model_version)
    ledger = read_table(lake, PROMOTIONS).where(F.col("model_name") == row.model_name)
    rows = ledger.where(about)
    before = rows.where((F.col("decided_at") <= F.lit(row.scored_at)) & (F.col("to_version") == row.model_version))
    newest = F.desc("decided_at")
    shown = rows.orderBy(newest).limit(_MOST_SHOWN + 1).toArrow().to_pylist()
    more = rows.count() - _MOST_SHOWN if len(shown) > _MOST_SHOWN else 0
    is_switch, then = F.col("decision").isin(*_SWITCHES), F.col("decided_at") <= F.lit(row.scored_at)
    serving, judged = _read_newest(before.where(is_switch)), _read_newest(before.where("size(gates) > 0"))
    champion = _read_newest(ledger.where(is_switch & then))
    history = tuple(_to_decision(one) for one in reversed(shown[:_MOST_SHOWN]))
    number = None if champion is None else champion.to_version
    return Decisions(serving, judged, number, history, more, _tell_lack(row, serving, judged))


def find_training_set(known: Decisions, version: int) -> str:
    """The training set of a version, as a decision about it has it; empty where none has."""
    told = [one for one in (known.serving, known.judged, *known.history) if one is not None]
    return next((one.training_set for one in told if one.to_version == version and one.training_set), "")


def _tell_lack(row: ScoredRow, serving: Decision | None, judged: Decision | None) -> str:
    if row.role == "champion" and serving is None:
        return f"who made version {row.model_version} champion before it scored: promotions has no such decision"
    if judged is None:
        return f"the gates' evidence: promotions has no decision in which they were asked about version {row.model_version} before it scored"
    return ""


def _read_newest(decisions: "DataFrame") -> Decision | None:
    found = decisions.orderBy(F.desc("decided_at")).limit(1).toArrow().to_pylist()
    return _to_decision(found[0]) if found else None


def _to_decision(row: Mapping[str, Any]) -> Decision:
    return Decision(
        decided_at=row["decided_at"].astimezone(UTC),
        decision=row["decision"],
        from_version=row["from_version"],
        to_version=row["to_version"],
        reason=row["reason"] or "",
        decided_by=row["decided_by"] or "",
        run_id=row["run_id"] or "",
        training_set=row["training_set_version"] or "",
        gates=tuple(row["gates"] or ()),
        evidence=_read_evidence(row["evidence"]),
    )


def _read_evidence(text: str | None) -> Mapping[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {"unreadable": text}
    return found if isinstance(found, dict) else {"unreadable": text}
