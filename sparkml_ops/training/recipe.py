"""What a model was made by, beside its training set, kept with it: so it can be made again whatever the YAML says by then."""

import json
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from sparkml_ops.config.dataset import Dataset
from sparkml_ops.config.features import Impute, feature_name
from sparkml_ops.config.model import Model
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ModelError
from sparkml_ops.features import describe_dataset

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def list_imputes(use_case: UseCase) -> dict[str, Impute]:
    """How missing values are filled, by feature column."""
    looked_up = {
        feature_name(view, column): impute
        for view in use_case.dataset.features
        for column, impute in use_case.features[view].impute.items()
    }
    return looked_up | use_case.dataset.impute


def describe_settings(use_case: UseCase) -> dict[str, Any]:
    """The sections that a fit reads, and how missing values are filled, as plain JSON values."""
    return {
        "model": use_case.model.model_dump(mode="json", by_alias=True),
        "dataset": describe_dataset(use_case)["dataset"],
        "impute": {name: how.model_dump(mode="json", by_alias=True) for name, how in list_imputes(use_case).items()},
    }


def write_recipe(use_case: UseCase, spark: "SparkSession") -> dict[str, Any]:
    """The settings of a training, and what it ran on, as a model's metadata has them."""
    return {**describe_settings(use_case), "spark": spark.version, "threads": len(os.sched_getaffinity(0))}


def apply_recipe(use_case: UseCase, recipe: Mapping[str, Any], *, what: str) -> UseCase:
    """The use case with the sections of a recipe in place of its own.

    Args:
        use_case: With the feature views that the training set has.
        recipe: As `write_recipe` has made it.
        what: The model, for the message.

    Raises:
        ModelError: The recipe has keys or values that this release does not know.
    """
    try:
        model = Model.model_validate_json(json.dumps(recipe["model"]))
        dataset = Dataset.model_validate_json(json.dumps(recipe["dataset"]))
        imputes = {name: Impute.model_validate_json(json.dumps(how)) for name, how in recipe["impute"].items()}
    except (ValidationError, KeyError) as error:
        found = "; ".join(str(error).splitlines()[:3])
        raise ModelError(
            f"{what} was trained by a release whose configuration this one cannot read: {found}. Use that release."
        ) from error
    views = {name: view.model_copy(update={"impute": {}}) for name, view in use_case.features.items()}
    filled = dataset.model_copy(update={"impute": imputes})
    return use_case.model_copy(update={"model": model, "dataset": filled, "features": views})
