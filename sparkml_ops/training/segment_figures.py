"""The figures of segments as rows of the table `metrics`."""

from collections.abc import Iterator, Mapping
from typing import Any

from sparkml_ops.lake import Metric
from sparkml_ops.models import ModelVersion

SCOPE, COLUMN_SCOPE = "segment", "segment_importance"


def list_segments(metadata: Mapping[str, Any], version: ModelVersion) -> Iterator[Metric]:
    """Of each segment that was judged its gain and both losses on valid, and its rows; of each model the test rows it served."""
    for one in metadata.get("segments", {}).get("found", []):
        told = f"{'own model' if one['kept'] else 'served by ' + one['parent']}: {one['reason']}"
        threshold = metadata["segments"]["minimum_gain"]
        yield _tell(version, one["name"], "rows", one["rows"], told)
        if one["gain"] is None:
            continue
        yield Metric(
            scope=SCOPE,
            subject=one["name"],
            name="gain",
            value=one["gain"],
            lower=one["lower"],
            threshold=threshold,
            verdict="ok" if one["kept"] else "info",
            model_version=version.version,
            details=told,
        )
        for name in ("log_loss", "parent_log_loss"):
            yield _tell(version, one["name"], name, one[name], told)
    for one in (metadata.get("segments", {}).get("importance") or {}).get("columns", []):
        told = "models of segments that it moves most; among the first of: " + str(one["among"])
        yield Metric(
            COLUMN_SCOPE, one["name"], "first", float(one["first"]), model_version=version.version, details=told
        )
        yield Metric(
            COLUMN_SCOPE, one["name"], "share", float(one["share"]), model_version=version.version, details=told
        )
    for name, rows in metadata.get("served", {}).items():
        yield _tell(version, name, "rows_served", rows, "of the part test")


def _tell(version: ModelVersion, subject: str, name: str, value: float, details: str) -> Metric:
    return Metric(SCOPE, subject, name, float(value), model_version=version.version, details=details)
