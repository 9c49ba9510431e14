"""Tables -> a page that a person looks at."""

from sparkml_ops.reporting.card_page import render_card_html
from sparkml_ops.reporting.report import ReportResult, report

__all__ = ["ReportResult", "render_card_html", "report"]
