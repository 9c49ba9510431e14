"""`model.evaluation`: what a version is judged by on the part test, beside the metrics of its task."""

from typing import Annotated, Literal

from pydantic import Field

from sparkml_ops.config.types import Identifier, Section, SqlText


class Kpi(Section):
    """A business figure: a sum over the judged rows, divided by another.

    Both add up over days, which is what its interval is made of. An average, a share and a cost per case are such ratios.
    """

    value: SqlText = Field(
        description="SQL over a judged row, which is summed: its columns, label (0 or 1), prediction and predicted_class; of several classes "
        "label is a name, and there are predicted_label and probabilities['name'] in place of predicted_class"
    )
    per: SqlText = Field(
        default="1", description="SQL over a judged row whose sum the first is divided by; 1 counts the rows"
    )
    better: Literal["higher", "lower"] = Field(description="which way is good")
    description: Annotated[str, Field(max_length=1000)] = Field(default="", description="for the card")


class ModelEvaluation(Section):
    """Figures that a use case wants of each version."""

    kpi: dict[Identifier, Kpi] = Field(default={}, description="business figures, by name")
