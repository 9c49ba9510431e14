"""`scoring`: which rows are scored, by whom, and when a batch is held back."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from sparkml_ops.config.types import Identifier, Number, Pair, Ratio, Relation, Section

Role = Literal["champion", "challenger", "shadow"]


class HoldIf(Section):
    """A batch that does one of these is held back instead of published."""

    rows_changed_more_than: Number | None = Field(
        default=None, ge=0, description="share by which the row count differs from the last published batch"
    )
    prediction_psi_over: Number | None = Field(
        default=None, gt=0, description="against the model's reference predictions"
    )
    null_features_over: Ratio | None = Field(default=None, description="share of missing values in any one feature")
    published_psi_over: Number | None = Field(
        default=None, gt=0, description="of the predictions, against those of the batch published last"
    )
    feature_psi_over: Number | None = Field(
        default=None, gt=0, description="of any one feature, against the rows that the model learned from"
    )
    predictions_outside: Pair | None = Field(
        default=None, description="lowest and highest prediction that is possible, both included"
    )
    constant_from_rows: Annotated[int, Field(ge=2)] | None = Field(
        default=100, description="rows from which predictions that are all the same hold the batch; null: never"
    )

    @field_validator("predictions_outside")
    @classmethod
    def _in_order(cls, pair: tuple[float, float] | None) -> tuple[float, float] | None:
        if pair is not None and pair[0] >= pair[1]:
            raise ValueError("the lowest before the highest")
        return pair


class Scoring(Section):
    """Keys and moments are given; features are looked up as they were known at each moment."""

    relation: Relation = Field(alias="from", description="rows with the dataset's entity columns and as_of")
    as_of: Identifier = Field(description="the column with each row's moment of decision")
    incremental: bool = Field(
        default=False, description="score only rows that are new or whose features changed since they were published"
    )
    roles: dict[Role, Literal["publish", "shadow"]] = Field(
        default={"champion": "publish"}, description="shadow: scored into the ledger, never published"
    )
    threshold: float | None = Field(
        default=None,
        gt=0,
        lt=1,
        description="probability from which predicted_class is 1; by default the model version's own",
    )
    max_violation_ratio: Ratio = Field(
        default=0.05, description="past this share of rows that cannot be scored the batch is refused whole"
    )
    hold_if: HoldIf = HoldIf()
    explain: int = Field(default=0, ge=0, le=20, description="top reasons per row")

    @property
    def publisher(self) -> Role:
        """The one role whose predictions consumers read; that there is one is checked when the file is loaded."""
        return next(role for role, use in self.roles.items() if use == "publish")
