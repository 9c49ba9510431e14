"""Candidate against champion -> a decision with reasons; aliases; rollback."""

from sparkml_ops.promotion.approve import approve
from sparkml_ops.promotion.decisions import Decision, find_champion
from sparkml_ops.promotion.gates import GateResult
from sparkml_ops.promotion.promote import PromoteResult, promote, roll_back

__all__ = ["Decision", "GateResult", "PromoteResult", "approve", "find_champion", "promote", "roll_back"]
