"""Everything that is recorded about one prediction; reads the ledgers, the tables and the registry, and writes nothing."""

from sparkml_ops.dossier.explain_row import explain_row
from sparkml_ops.dossier.facts import RowExplanation

__all__ = ["RowExplanation", "explain_row"]
