"""Rows that the whole cluster learns from, written as a training writes them, and what fits of them are asked for."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from sparkml_ops.models import FeatureEncoder
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.training.estimators import FitSettings
from sparkml_ops.training.matrix import write_matrix

LEVELS = tuple(f"l{number:02d}" for number in range(40))
ENCODER = FeatureEncoder((
    EncodedColumn("x", "numeric"),
    EncodedColumn("level", "categorical", LEVELS),
    EncodedColumn("never", "numeric"),
    EncodedColumn("two", "categorical", ("a", "b")),
))  # fmt: skip


def draw_rows(
    draw_label: Callable[[np.random.Generator, Any, Any], Any], rows: int = 600, *, heavy: float
) -> pd.DataFrame:
    """The last quarter is to tune on, and has levels that the others have not; values are missing here and there.

    Args:
        draw_label: Makes labels of x and the position of the level.
        rows: How many.
        heavy: Rows whose label is above it weigh more.
    """
    random = np.random.default_rng(0)
    is_valid = np.arange(rows) >= rows * 3 // 4
    x, level = random.normal(size=rows), random.integers(0, np.where(is_valid, 40, 36))
    label = draw_label(random, x, level)
    missing = random.random((3, rows)) < 0.1
    return pd.DataFrame({
        "at": [datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=int(n)) for n in range(rows)],
        "split": np.where(is_valid, "valid", "train"), "label": label.astype(float),
        "x": np.where(missing[0], np.nan, x), "level": np.where(missing[1], None, np.array(LEVELS, object)[level]),
        "never": np.nan, "two": np.where(missing[2], None, "a"), "weight": np.where(label > heavy, 9.0, 1.0),
    })  # fmt: skip


def write_rows(
    spark: SparkSession,
    folder: Path,
    frame: pd.DataFrame,
    *,
    weight: str | None = None,
    encoder: FeatureEncoder = ENCODER,
) -> str:
    label = "string" if encoder.classes else "double"
    schema = (
        f"at timestamp, split string, label {label}, x double, level string, never double, two string, weight double"
    )
    rows = spark.createDataFrame(frame, schema).repartition(3)
    write_matrix(rows, encoder, str(folder), timestamp="at", weight=None if weight is None else F.col(weight))
    return str(folder)


def settle(settings: FitSettings, known: Mapping[str, Mapping[str, Any]], name: str, **params: Any) -> FitSettings:
    """The settings of one estimator, with the parameters that it is known by and others."""
    return replace(settings, estimator=name, params={**known.get(name, {}), **params})
