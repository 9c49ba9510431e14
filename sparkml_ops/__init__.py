"""Raw files go in, predictions that a SQL user can trust come out."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from sparkml_ops.notebook import Project

__version__ = "0.1.0"


def open_project(
    use_case: str | Path,
    *,
    spark: "SparkSession | None" = None,
    env: str | None = None,
    conf_dir: str | Path | None = None,
    overrides: Mapping[str, str] | None = None,
) -> "Project":
    """Open a use case to work with it in a notebook; see `sparkml_ops.notebook.open_project`.

    Examples:
        project = sparkml_ops.open_project("flights")
        project.get_training_set().groupBy("split").count().show()
    """
    from sparkml_ops import notebook

    return notebook.open_project(use_case, spark=spark, env=env, conf_dir=conf_dir, overrides=overrides)
