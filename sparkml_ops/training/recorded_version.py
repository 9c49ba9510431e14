"""A version as it was registered, opened to be fitted again: its model, its training set, and the settings that it was trained by."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ModelError, TableNotFoundError, TrainingSetNotFoundError
from sparkml_ops.features import TrainingSet, describe_training_set, with_definition
from sparkml_ops.lake import Lake, StepRecord, record_step
from sparkml_ops.lake.lease import STAGE_WAIT_SECONDS, hold_lease
from sparkml_ops.models import ModelVersion, PackagedModel, load_version, prepare_tracking
from sparkml_ops.training.matrix import locate_scratch, remove_folder, unmap_matrix
from sparkml_ops.training.recipe import apply_recipe


@dataclass(frozen=True)
class RecordedVersion:
    """What there is of a version.

    Attributes:
        asked: The use case with the settings that it was trained by.
        model: The model.
        made: Its training set.
    """

    asked: UseCase
    model: PackagedModel
    made: TrainingSet


@contextmanager
def open_recorded(
    use_case: UseCase, lake: Lake, *, registered: ModelVersion, step: str, run_id: str
) -> Iterator[tuple[StepRecord, RecordedVersion]]:
    """Open a version for a step of the ledger, which one process at a time may take of a use case.

    Raises:
        ModelError: Its files are not those that were registered, or it was trained by an earlier release, which kept no recipe.
        TableNotFoundError: Its training set is gone.
        ConflictError: Another process is at the same step.
    """
    with (
        hold_lease(lake, step, wait_seconds=STAGE_WAIT_SECONDS),
        record_step(lake, run_id=run_id, step=step, config_hash=registered.config_hash) as record,
    ):
        record.model(registered.name, registered.version)
        model = load_version(prepare_tracking(use_case.environment), registered)
        recipe, made = _require_recipe(model, registered), _find_training_set(lake, registered)
        record.note("training_set", made.version)
        asked = apply_recipe(with_definition(use_case, made.definition), recipe, what=_name_version(registered))
        yield record, RecordedVersion(asked, model, made)


@contextmanager
def open_scratch(lake: Lake, name: str) -> Iterator[str]:
    """A folder for prepared rows, which goes with the block."""
    folder = locate_scratch(lake.root, name)
    try:
        yield folder
    finally:
        unmap_matrix(folder)
        remove_folder(lake.spark, folder)


def _require_recipe(model: PackagedModel, registered: ModelVersion) -> Mapping[str, Any]:
    """The settings that a version was trained by.

    Raises:
        ModelError: It was trained by an earlier release, which kept none.
    """
    recipe: Mapping[str, Any] | None = model.metadata.get("recipe")
    if recipe is None:
        raise ModelError(
            f"{_name_version(registered)} was trained by an earlier release ({registered.code_version or 'unknown'}), which did not record "
            f"what is needed to make it again. Versions trained from now on have it: `sparkml-ops train {registered.name}`."
        )
    return recipe


def _find_training_set(lake: Lake, registered: ModelVersion) -> TrainingSet:
    """The training set of a version.

    Raises:
        TableNotFoundError: It is gone.
    """
    try:
        return describe_training_set(lake, registered.training_set_version)
    except TrainingSetNotFoundError as error:
        raise TableNotFoundError(f"{_name_version(registered)} cannot be made again: {error}") from error


def _name_version(registered: ModelVersion) -> str:
    """How messages name it."""
    return f"Model {registered.name} version {registered.version}"
