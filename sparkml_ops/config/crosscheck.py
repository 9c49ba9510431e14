"""What no section can judge alone: names that must be found in another section, columns that must be there."""

from sparkml_ops.config.mistakes import Finding, first_per_path
from sparkml_ops.config.parts import Parts, take_apart
from sparkml_ops.config.rules.audit import check_audit
from sparkml_ops.config.rules.decisions import check_dataset
from sparkml_ops.config.rules.exports import check_exports
from sparkml_ops.config.rules.model import check_model
from sparkml_ops.config.rules.online import check_online
from sparkml_ops.config.rules.references import check_references
from sparkml_ops.config.rules.serving import check_gates, check_scoring
from sparkml_ops.config.rules.sources import check_sources
from sparkml_ops.config.rules.tasks import check_task
from sparkml_ops.config.rules.upkeep import check_maintenance
from sparkml_ops.config.rules.views import check_views
from sparkml_ops.config.use_case import UseCase

_CHECKS = (
    check_sources,
    check_references,
    check_views,
    check_dataset,
    check_audit,
    check_model,
    check_task,
    check_gates,
    check_scoring,
    check_online,
    check_exports,
    check_maintenance,
)


def check_use_case(use_case: UseCase) -> list[Finding]:
    """What is wrong between the sections of a use case; empty when nothing is."""
    return check_parts(take_apart(use_case))


def check_parts(parts: Parts) -> list[Finding]:
    """As `check_use_case`, for whatever could be read."""
    return first_per_path(finding for check in _CHECKS for finding in check(parts))
