"""`gates`: what a candidate must show before it may serve."""

from typing import Annotated, Literal

from pydantic import Field

from sparkml_ops.config.types import Identifier, Number, Ratio, Section, SqlText


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

    mode: Literal["enforce", "report"] = Field(
        default="enforce", description="report: decide and record, but never move an alias"
    )
    baseline: BaselineGate | None = BaselineGate()
    champion: ChampionGate | None = ChampionGate()
    slices: SlicesGate | None = None
    latency: LatencyGate | None = None
    kpi: KpiGate | None = None
