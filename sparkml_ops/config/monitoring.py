"""`monitoring`: when to raise an alert."""

from typing import Annotated

from pydantic import Field

from sparkml_ops.config.types import Duration, Number, Section


class DriftAlert(Section):
    """Population stability index of a feature or the prediction against the training set."""

    psi_over: Number = Field(default=0.2, gt=0)


class PerformanceAlert(Section):
    """Figures of the published batch, once its labels are known."""

    roc_auc_below: Annotated[float, Field(ge=0, le=1)] | None = None
    log_loss_over: Number | None = Field(default=None, gt=0)
    rmse_over: Number | None = Field(default=None, gt=0, description="of a regression, in units of the label")
    mae_over: Number | None = Field(default=None, gt=0, description="of a regression, in units of the label")
    r2_below: Annotated[float, Field(le=1, allow_inf_nan=False)] | None = Field(
        default=None, description="of a regression: the share of the label's variance that is explained"
    )

    accuracy_below: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="of several classes: the share of rows whose most probable class is the label"
    )
    macro_f1_below: Annotated[float, Field(ge=0, le=1)] | None = Field(
        default=None, description="of several classes: the mean of their F1, each class counting alike"
    )

    def limits(self) -> dict[str, float]:
        """The declared limits, by metric."""
        declared = {name: getattr(self, name) for name in type(self).model_fields}
        return {name.rpartition("_")[0]: limit for name, limit in declared.items() if limit is not None}


class Monitoring(Section):
    """What is watched."""

    drift: DriftAlert = DriftAlert()
    performance: PerformanceAlert = PerformanceAlert()
    freshness: Duration | None = Field(default=None, description="alert when the newest published batch is older")
