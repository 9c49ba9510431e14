"""`gates`: what a candidate must show before it may serve."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from sparkml_ops.config.types import Identifier, Number, Ratio, Section, SqlText

OFF = "off"
SliceValues = Annotated[list[str | int | float], Field(min_length=1)]


def read_bare_off(value: object) -> object:
    """YAML reads the bare word off as false."""
    return OFF if value is False else value


Mode = Annotated[Literal["enforce", "report", "off"], BeforeValidator(read_bare_off)]


class BaselineGate(Section):
    """The metric must beat the trivial model's by this much, at the lower end of its 95 % interval."""

    minimum_gain: Number = Field(default=0.0)


class ChampionGate(Section):
    """The candidate must be better than the champion on the same rows with this confidence."""

    better_with_confidence: Annotated[float, Field(gt=0.5, lt=1)] = 0.95


class SlicesGate(Section):
    """No slice with enough rows may lose more than this against the champion: of its ROC AUC; of a regression, its RMSE may rise by this share."""

    by: list[Identifier] = Field(min_length=1)
    minimum_rows: int = Field(default=500, ge=1)
    maximum_loss: Ratio = 0.02
    must_have: dict[Identifier, SliceValues] = Field(
        default={}, description="by column of `by`, values that must have `minimum_rows` judged rows"
    )


class CalibrationGate(Section):
    """The expected calibration error of the candidate may be at most this: by how much probabilities are off on average, from 0 to 1."""

    maximum_error: Annotated[float, Field(gt=0, le=1)]


class FairnessGate(Section):
    """A rate may differ by at most this between the groups of a column, at the threshold by which the version makes classes.

    `demographic_parity` is about the share of rows that are taken for positive, `equal_opportunity` about the same of rows with label 1
    (Hardt, Price and Srebro 2016, "Equality of opportunity in supervised learning").
    """

    by: list[Identifier] = Field(min_length=1)
    measure: Literal["demographic_parity", "equal_opportunity"] = "demographic_parity"
    maximum_gap: Ratio = 0.05
    minimum_rows: int = Field(
        default=500, ge=1, description="of the rows that the rate is a share of, for a group to count"
    )


class LoadsGate(Section):
    """A fresh process must load the files as they were registered, and answer some test rows as Spark's workers did."""

    rows: int = Field(default=1000, ge=1, le=100_000)
    maximum_difference: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        default=1e-9, description="of an answer; of numbers beyond 1, as a share of them"
    )


class LatencyGate(Section):
    """Bulk scoring must be at least this fast, measured on one core."""

    rows_per_second_at_least: float = Field(gt=0)


class KpiGate(Section):
    """A business figure: an aggregate over the judged rows, with `prediction` (a probability, of a regression the value) and `label`.

    Of several classes `prediction` is the probability of `predicted_label`, `label` is a name, and `probabilities['name']` has them all.
    """

    sql: SqlText
    at_least: Number


class Gates(Section):
    """Every gate that is declared must pass."""

    mode: Mode = Field(
        default="enforce",
        description="report: decide and record, but never move an alias; off: ask no gate, and let the version serve",
    )
    approval: Literal["none", "required"] = Field(
        default="none",
        description="required: a version that passes every gate serves once a person has approved it by name",
    )
    baseline: BaselineGate | None = BaselineGate()
    champion: ChampionGate | None = ChampionGate()
    slices: SlicesGate | None = None
    calibration: CalibrationGate | None = None
    fairness: FairnessGate | None = None
    loads: LoadsGate | None = LoadsGate()
    latency: LatencyGate | None = None
    kpi: KpiGate | None = None
