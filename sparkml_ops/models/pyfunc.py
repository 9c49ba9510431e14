"""Lets plain `mlflow.pyfunc.load_model("models:/name@champion")` answer with probabilities.

MLflow reads the name of this module from the model's MLmodel file (`loader_module`): no pickle is involved.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.models.package import PackagedModel, load_package

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PyfuncModel:
    """What MLflow calls."""

    model: PackagedModel

    def predict(self, frame: "pd.DataFrame", params: dict[str, Any] | None = None) -> "NDArray[np.float64]":  # noqa: ARG002
        """Probability of the positive class for each row."""
        return self.model.predict(frame)


def _load_pyfunc(path: str) -> PyfuncModel:
    return PyfuncModel(model=load_package(path))
