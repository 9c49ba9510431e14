"""The tables' files: compaction, clustering and vacuum, and which old versions somebody still needs."""

from sparkml_ops.upkeep.maintain import MaintainResult, TableUpkeep, maintain
from sparkml_ops.upkeep.needs import KeptVersion

__all__ = ["KeptVersion", "MaintainResult", "TableUpkeep", "maintain"]
