"""Candidate against champion -> a decision with reasons; aliases; rollback; who was champion when."""

from sparkml_ops.promotion.approve import approve
from sparkml_ops.promotion.decisions import Decision, find_champion
from sparkml_ops.promotion.gates import GateResult
from sparkml_ops.promotion.history import CHAMPIONS_SQL, Championship, list_champions
from sparkml_ops.promotion.promote import PromoteResult, promote
from sparkml_ops.promotion.roll_back import roll_back
from sparkml_ops.promotion.shadow import ShadowResult, set_shadow

__all__ = [
    "CHAMPIONS_SQL",
    "Championship",
    "Decision",
    "GateResult",
    "PromoteResult",
    "ShadowResult",
    "approve",
    "find_champion",
    "list_champions",
    "promote",
    "roll_back",
    "set_shadow",
]
