"""The model version that scored a row: what the registry and its package say."""

from dataclasses import replace
from typing import TYPE_CHECKING

from sparkml_ops.dossier.facts import Model, ScoredRow
from sparkml_ops.errors import ModelNotFoundError, SparkMLOpsError
from sparkml_ops.models import (
    ModelVersion,
    PackagedModel,
    describe_recorded,
    find_version,
    load_version,
    prepare_tracking,
    write_card,
)

if TYPE_CHECKING:
    from sparkml_ops.config.environment import Environment


def read_model(environment: "Environment", row: ScoredRow) -> tuple[Model, PackagedModel | None]:
    """The version, and its package; None where its files are not those that were registered, or are gone.

    Args:
        environment: where the registry is.
        row: the prediction.
    """
    what, absent = f"{row.model_name} version {row.model_version}", Model(row.model_name, row.model_version, False)
    try:
        tracking = prepare_tracking(environment)
        version = find_version(tracking, row.model_name, version=row.model_version)
    except ModelNotFoundError:
        return replace(absent, note=f"{what}: the registry has no such version any more"), None
    except SparkMLOpsError as error:
        return replace(absent, note=f"{what}: the registry does not answer: {error}"), None
    found = Model(
        version.name, version.version, True, version.aliases, version.training_set_version, _tell_registered(version)
    )
    try:
        packaged = load_version(tracking, version)
    except SparkMLOpsError as error:
        return replace(found, note=str(error)), None
    facts = {**found.facts, **_tell_recorded(version, packaged)}
    return replace(found, facts=facts, card=write_card(version, packaged)), packaged


def _tell_registered(version: ModelVersion) -> dict[str, object]:
    return {
        "registered_at": version.created_at,
        "task": version.task,
        "digest": version.digest,
        "mlflow_run_id": version.run_id,
        "config_hash": version.config_hash,
        "code_version": version.code_version,
    }


def _tell_recorded(version: ModelVersion, packaged: PackagedModel) -> dict[str, object]:
    recorded = describe_recorded(version, packaged.metadata, features=packaged.feature_columns)
    figures = {
        name: {"value": one.value, "lower": one.lower, "upper": one.upper} for name, one in recorded.figures.items()
    }
    return {
        "trained_at": recorded.trained_at,
        "estimator": recorded.estimator,
        "metric": recorded.metric,
        "figures": figures,
        "params": recorded.params,
    }
