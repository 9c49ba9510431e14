"""The classes of a label: learned from the part `train`, and what other parts have beside them."""

import logging

from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StringType

from sparkml_ops.config.tasks import sort_classes
from sparkml_ops.errors import TrainingError

log = logging.getLogger(__name__)

TWO = 2  # classes are what the task binary is for


def learn_classes(rows: DataFrame) -> tuple[str, ...]:
    """Names of the classes of the part `train`, in their order; none where labels are numbers.

    Classes that other parts have alone are told in the log: no model knows them, so that their rows count as wrong.

    Args:
        rows: The rows of a training set, all parts; as a training set holds at most `MAX_CLASSES` classes a part.

    Raises:
        TrainingError: There is one class alone.
    """
    if not isinstance(rows.schema["label"].dataType, StringType):
        return ()
    counted = rows.where(F.col("label").isNotNull()).groupBy("split", "label").count().collect()
    classes = sort_classes({row["label"] for row in counted if row["split"] == "train"})
    if len(classes) < TWO:
        found = f"all are {classes[0]!r}" if classes else "there are none"
        raise TrainingError(
            f"The labels of the part train need several classes; {found}. Change dataset.split or dataset.label."
        )
    if len(classes) == TWO:
        log.warning(
            "the label has two classes, %s: model.task: binary would do, with a threshold and more metrics", classes
        )
    unknown = {(row["split"], row["label"]): row["count"] for row in counted if row["label"] not in classes}
    for (part, name), number in sorted(unknown.items()):
        log.warning("class %r is in %d rows of %s and in none of train: they count as wrong", name, number, part)
    return classes
