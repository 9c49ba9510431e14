"""The files of a version, in MLflow's pyfunc format: logged beside the run that made it, and fetched from there.

`MLmodel`, which tells MLflow how to load it; `data/package`, the packaged model; `environment.json`, what was installed.
"""

import warnings
from collections.abc import Mapping
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError
from sparkml_ops.models.digests import digest_files
from sparkml_ops.models.environment import ENVIRONMENT_FILE, dump_environment, find_environment
from sparkml_ops.models.package import PackagedModel, read_package_files
from sparkml_ops.models.tracking import Tracking, quiet_mlflow

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

PACKAGE_FOLDER = "package"
PACKAGE_PATH = f"data/{PACKAGE_FOLDER}"  # where MLflow's pyfunc format puts the folder
PACKAGED = "package_files"
"""Key of the metadata in `MLmodel` that has the sha256 of each file of the package."""
REQUIRED_LIBRARIES = ("sparkml-ops", "lightgbm", "scikit-learn", "skops", "numpy", "pandas", "pyarrow")


def log_files(tracking: Tracking, model: PackagedModel, *, run_id: str, scratch: Path) -> Any:
    """Put the files of a version beside the run; the package is in the folder `package` of `scratch` already.

    Returns:
        MLflow's logged model.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    experiment = tracking.client.get_run(run_id).info.experiment_id
    logged = tracking.client.create_logged_model(
        experiment, name=model.name, source_run_id=run_id, model_type=model.task
    )
    folder = scratch / "model"
    _save_pyfunc(model, scratch / PACKAGE_FOLDER, folder, run_id=run_id, model_id=logged.model_id)
    (folder / ENVIRONMENT_FILE).write_text(dump_environment(find_environment()))
    tracking.client.log_model_artifacts(logged.model_id, str(folder))
    tracking.client.finalize_logged_model(logged.model_id, LoggedModelStatus.READY)
    tracking.client.log_outputs(run_id, [LoggedModelOutput(logged.model_id, 0)])
    return logged


def fetch_files(tracking: Tracking, uri: str, *, into: str, what: str) -> Path:
    """A file or a folder of MLflow's storage, on this machine.

    Args:
        tracking: Where MLflow is.
        uri: Of the file or folder.
        into: A folder for them.
        what: Whose files they are, for the message.

    Raises:
        ModelError: They cannot be read.
    """
    from mlflow.artifacts import download_artifacts
    from mlflow.exceptions import MlflowException

    try:
        with quiet_mlflow():
            return Path(download_artifacts(artifact_uri=uri, dst_path=into, tracking_uri=tracking.tracking_uri))
    except (MlflowException, OSError) as error:
        raise ModelError(
            f"{what}: its files cannot be read from {uri}: {error} Restore them, or train anew."
        ) from error


def list_packaged(folder: Path) -> Mapping[str, str]:
    """sha256 of each file of the package, as `MLmodel` in this folder has it; none of an earlier release's."""
    from mlflow.models import Model

    listed: Mapping[str, str] = (Model.load(str(folder)).metadata or {}).get(PACKAGED, {})
    return listed


def _save_pyfunc(model: PackagedModel, package: Path, folder: Path, *, run_id: str, model_id: str) -> None:
    import mlflow.pyfunc
    from mlflow.models import Model

    with warnings.catch_warnings():
        # an input example would be rows of the user's data; the signature is written by hand instead
        warnings.filterwarnings("ignore", message="(?s).*input example was not provided.*")
        mlflow.pyfunc.save_model(
            folder,
            loader_module="sparkml_ops.models.pyfunc",
            data_path=str(package),
            signature=_sign(model),
            pip_requirements=[f"{library}=={installed_version(library)}" for library in REQUIRED_LIBRARIES],
            metadata={PACKAGED: digest_files(read_package_files(package))},
            mlflow_model=Model(run_id=run_id, model_id=model_id),
        )


def _sign(model: PackagedModel) -> "ModelSignature":
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    # numbers are doubles whatever they were: an int column with a null in it would fail the whole batch
    types = {"numeric": DataType.double, "categorical": DataType.string}
    segment_types = {"number": DataType.double, "text": DataType.string, "boolean": DataType.boolean}
    inputs = {column.name: types[column.kind] for column in model.encoder.columns}
    for column in model.family.columns if model.family else ():
        inputs.setdefault(column.name, segment_types[column.kind])
    return ModelSignature(
        inputs=Schema([ColSpec(kind, name) for name, kind in inputs.items()]),
        outputs=Schema([ColSpec(DataType.double, name) for name in model.classes or ("prediction",)]),
    )
