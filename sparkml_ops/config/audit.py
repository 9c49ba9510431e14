"""`audit`: from when on a training set is taken to know more than it could have known."""

from typing import Annotated

from pydantic import Field

from sparkml_ops.config.types import Identifier, Ratio, Section, SqlText

Telling = Annotated[float, Field(gt=0.5, lt=1)]


class Audit(Section):
    """Limits of the leakage audit, and what of it is known and wanted."""

    rows: int = Field(default=200, ge=1, le=10_000, description="training rows that are computed again from history")
    sample_rows: int = Field(
        default=50_000, ge=100, le=1_000_000, description="training rows that figures of features are told of"
    )
    label_copy_over: Telling = Field(
        default=0.98, description="ROC AUC of one feature alone; hardly any honest one says so much by itself"
    )
    missing_tells_over: Telling = Field(
        default=0.9, description="ROC AUC of whether a feature is missing, with nothing else known"
    )
    duplicate_rows_over: Ratio = Field(
        default=0.05, description="share of the valid and test rows whose features are those of a row of train"
    )
    unique_over: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.99, description="different values per row, of text and whole numbers: past it they are names of rows"
    )
    changed_since_over: Ratio = Field(
        default=0.0, description="share of the rows with another value than the tables gave at their moment"
    )
    accept: dict[Identifier, SqlText] = Field(
        default={}, description="features whose findings are known, each with the reason why they may stay"
    )
