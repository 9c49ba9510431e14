"""Lets plain `mlflow.pyfunc.load_model("models:/name@champion")` answer with probabilities, or of a regression with numbers.

MLflow reads the name of this module from the model's MLmodel file (`loader_module`): no pickle is involved.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError
from sparkml_ops.models.digests import find_damage
from sparkml_ops.models.package import PackagedModel, parse_package, read_package_files
from sparkml_ops.models.version_files import list_packaged

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PyfuncModel:
    """What MLflow calls."""

    model: PackagedModel

    def predict(
        self,
        frame: "pd.DataFrame",
        params: dict[str, Any] | None = None,  # noqa: ARG002
    ) -> "NDArray[np.float64] | pd.DataFrame":
        """Probability of the positive class for each row, or of a regression the number; of several classes a column for each."""
        answers = self.model.predict(frame)
        if not self.model.classes:
            return answers
        import pandas as pd

        return pd.DataFrame(answers, columns=list(self.model.classes), index=frame.index)


def _load_pyfunc(path: str) -> PyfuncModel:
    files = read_package_files(path)
    # MLflow reads MLmodel before it asks here: who may write that file decides what is loaded, whatever is checked by this.
    packaged = list_packaged(Path(path).parents[1])
    damage = find_damage(files, packaged) if packaged else []
    if damage:
        raise ModelError(
            f"The model package at {path} is not the one that was registered: {'; '.join(damage)}. It is not used. "
            "Restore the files, or train anew."
        )
    return PyfuncModel(model=parse_package(files))
