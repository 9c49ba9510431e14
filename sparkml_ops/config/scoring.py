"""`scoring`: which rows are scored, by whom, and when a batch is held back."""

from typing import Literal

from pydantic import Field

from sparkml_ops.config.types import Identifier, Number, Ratio, Relation, Section

Role = Literal["champion", "challenger"]


class HoldIf(Section):
    """A batch that does one of these is held back instead of published."""

    rows_changed_more_than: Number | None = Field(
        default=None, ge=0, description="share by which the row count differs from the last published batch"
    )
    prediction_psi_over: Number | None = Field(
        default=None, gt=0, description="against the model's reference predictions"
    )
    null_features_over: Ratio | None = Field(default=None, description="share of missing values in any one feature")


class Scoring(Section):
    """Keys and moments are given; features are looked up as they were known at each moment."""

    relation: Relation = Field(alias="from", description="rows with the dataset's entity columns and as_of")
    as_of: Identifier = Field(description="the column with each row's moment of decision")
    roles: dict[Role, Literal["publish", "shadow"]] = Field(
        default={"champion": "publish"}, description="shadow: scored into the ledger, never published"
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="probability from which predicted_class is 1; by default the model version's own",
    )
    hold_if: HoldIf = HoldIf()
    explain: int = Field(default=0, ge=0, le=20, description="top reasons per row")
