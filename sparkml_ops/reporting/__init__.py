"""Tables -> a page that a person looks at."""

from sparkml_ops.reporting.report import ReportResult, report

__all__ = ["ReportResult", "report"]
