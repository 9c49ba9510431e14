"""Drift, delayed labels and freshness -> `metrics` and `alerts`."""

from sparkml_ops.monitoring.alerts import Alert
from sparkml_ops.monitoring.monitor import MonitorResult, hash_monitoring, monitor

__all__ = ["Alert", "MonitorResult", "hash_monitoring", "monitor"]
