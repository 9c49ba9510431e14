"""`model.segment_by`: one model per segment of the rows, beside the model of all rows."""

from typing import Any

from pydantic import Field, field_validator, model_validator

from sparkml_ops.config.types import Identifier, Section

MAX_LEVELS = 4
"""Each is a job of its own; a fifth column leaves few segments that have rows enough."""


class SegmentBy(Section):
    """The columns whose values make the segments, and which of them get a model of their own.

    Written as a column (`origin`), as a list of them (`[origin, carrier]`), or as a section. Each column divides the segments
    of the columns before it.
    """

    columns: list[Identifier] = Field(
        min_length=1,
        max_length=MAX_LEVELS,
        description="entity or feature columns; each divides the segments of those before it",
    )
    minimum_rows: int = Field(
        default=500, ge=50, description="rows of the part train that a segment needs to be given a model of its own"
    )
    minimum_gain: float = Field(
        default=0.0, ge=0, le=1, description="log loss by which it must be better than its parent's on the part valid"
    )
    confidence: float = Field(
        default=0.95,
        ge=0.5,
        lt=1,
        description="of the models that are kept, at most the share 1 - confidence is expected to be kept by chance",
    )

    @model_validator(mode="before")
    @classmethod
    def _from_columns(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"columns": [value]}
        return {"columns": value} if isinstance(value, list) else value

    @field_validator("columns")
    @classmethod
    def _each_once(cls, columns: list[str]) -> list[str]:
        if len({name.lower() for name in columns}) < len(columns):
            raise ValueError("each column once")
        return columns
