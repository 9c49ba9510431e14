"""A use case in a notebook: its training sets, its features at any moment, and feature views tried out before they are saved."""

from sparkml_ops.notebook.check import CheckResult, Coverage
from sparkml_ops.notebook.drafts import Draft
from sparkml_ops.notebook.examples import Difference, ExamplesResult
from sparkml_ops.notebook.project import Project, open_project
from sparkml_ops.notebook.save import SaveResult

__all__ = [
    "CheckResult",
    "Coverage",
    "Difference",
    "Draft",
    "ExamplesResult",
    "Project",
    "SaveResult",
    "open_project",
]
