"""Rows whose label is perhaps wrong, and who they are: counted on the mapped rows, named on Spark, which alone has their keys."""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.dataset import EventLabel
from sparkml_ops.config.sql import SqlError, read_expression
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.models import PREDICTION, predict_rows
from sparkml_ops.training.diagnosed_rows import Subject
from sparkml_ops.training.diagnosis_figures import SuspectFigures
from sparkml_ops.training.findings_data import DOUBTFUL_LABELS
from sparkml_ops.training.implausible import express_distance, find_implausible, learn_plausible
from sparkml_ops.training.probes import Fitted, find_suspects, is_measurable, suspect_thresholds

SHOWN_KEYS = 5


def tell_suspects(subject: Subject, fitted: Fitted, *, task: str) -> SuspectFigures | None:
    """How many labels of valid the model does not believe, and the keys of the worst; None of a task whose labels nobody doubts here."""
    labels = fitted.valid.labels
    if task == "binary":
        count = len(find_suspects(fitted))
    elif task == "regression":
        count = len(find_implausible(labels, fitted.answers)) if is_measurable(fitted.valid) else 0
    else:
        return None
    is_number = task == "regression"
    if count / len(labels) <= DOUBTFUL_LABELS:
        return SuspectFigures(count, len(labels), are_numbers=is_number)
    scored = predict_rows(subject.rows.where("split = 'valid'"), fitted.model)
    found = _choose_implausible(scored, fitted) if is_number else _choose_contradicted(scored, fitted)
    return SuspectFigures(count, len(labels), _name_rows(subject.use_case, *found), are_numbers=is_number)


def _choose_contradicted(scored: DataFrame, fitted: Fitted) -> tuple[DataFrame, Column]:
    """The rows that `find_suspects` counts, and how probable their label is."""
    limits, p, is_positive = suspect_thresholds(fitted), F.col(PREDICTION), F.col("label") == 1
    of_label = F.when(is_positive, p).otherwise(1 - p)
    other = F.when(is_positive, limits["confident_negative"]).otherwise(limits["confident_positive"])
    least = F.when(is_positive, limits["unlikely_positive"]).otherwise(limits["unlikely_negative"])
    return scored.where((1 - of_label >= other) & (of_label <= least)), of_label


def _choose_implausible(scored: DataFrame, fitted: Fitted) -> tuple[DataFrame, Column]:
    """The rows that `find_implausible` counts, and how far they are, turned round."""
    plausible = learn_plausible(fitted.valid.labels, fitted.answers)
    far = express_distance(plausible, F.col("label"), F.col(PREDICTION))
    return scored.where(far >= 1), -far


def _name_rows(use_case: UseCase, chosen: DataFrame, order: Column) -> list[str]:
    """Keys, labels and predictions of the first few rows, without personal data."""
    dataset, personal = use_case.dataset, list_personal_features(use_case)
    shown = [name for name in dict.fromkeys([*dataset.entity, dataset.timestamp]) if name not in personal]
    is_told = not _is_personal_label(use_case)
    told = [F.col(f"`{name}`").cast("string").alias(name) for name in shown]
    found = chosen.orderBy(order, *(F.col(f"`{name}`") for name in shown)).select(*told, "label", PREDICTION)
    return [
        ", ".join(f"{name}={row[name]}" for name in shown)
        + (f" (label {row['label']:g}, predicted {_show_number(row[PREDICTION])})" if is_told else "")
        for row in found.limit(SHOWN_KEYS).collect()
    ]


def _show_number(value: float) -> str:
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.4g}"


def _is_personal_label(use_case: UseCase) -> bool:
    """Whether the label is made of personal data, or of nobody knows what where there are some."""
    columns = {name for source in use_case.sources.values() for name in source.personal_columns()}
    personal = {name.lower() for name in columns | list_personal_features(use_case)}
    label = use_case.dataset.label
    try:
        read = read_expression(label.value if isinstance(label, EventLabel) else label).columns
    except SqlError:
        return bool(personal)
    return bool(personal & {name.lower() for name in read})
