"""Published predictions, brought to databases and files for people and programs outside the lake."""

from sparkml_ops.delivery.export import ExportResult, export_predictions

__all__ = ["ExportResult", "export_predictions"]
