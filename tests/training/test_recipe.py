"""The settings of a training are kept as JSON, and read back they are the same."""

import json
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ModelError
from sparkml_ops.training.prepare import make_settings
from sparkml_ops.training.recipe import apply_recipe, describe_settings, list_imputes
from tests.models.conftest import ENCODER
from tests.training.conftest import make_use_case, shop_config

SPACE = {
    "learning_rate": {"loguniform": [0.05, 0.3]},
    "num_leaves": {"quniform": [8, 64, 1]},
    "boosting": {"choice": ["gbdt", {"boosting": "dart", "drop_rate": {"uniform": [0.05, 0.3]}, "skip_drop": 0.5}]},
    "max_bin": {"pchoice": [{"p": 0.25, "of": 63}, {"p": 0.75, "of": 255}]},
}


def keep(use_case: UseCase) -> Any:
    """What is left of the settings once they were written as JSON."""
    return json.loads(json.dumps(describe_settings(use_case)))


def test_settings_read_back_are_the_same_whatever_the_yaml_says_by_then(tmp_path: Path) -> None:
    search = {"space": SPACE, "timeout": "2h", "trial_timeout": "10m", "seed": 7}
    levels = {"at_most": 9, "at_least": 3, "others": "level"}
    use_case = make_use_case(tmp_path, search=search, levels=levels, params={"lambda_l1": 0.1, "extra_trees": True})
    later = shop_config(tmp_path, metric="log_loss")
    later["features"]["orders"]["impute"] = {"town": {"with": "constant", "value": "Ulm"}}
    later["dataset"] |= {"timestamp": "at", "impute": {"hour": {"with": "mean"}}}
    restored = apply_recipe(UseCase.model_validate(later, strict=False), keep(use_case), what="Model shop version 1")
    assert restored.model == use_case.model
    assert list_imputes(restored) == list_imputes(use_case)
    assert restored.dataset.timestamp == "ordered_at"
    assert make_settings(restored, ENCODER) == make_settings(use_case, ENCODER)
    assert keep(restored) == keep(use_case)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"model": {"task": "binary", "quantum": True}}, "quantum"),
        ({"model": {}}, "task"),
        ({"impute": {"hour": {"with": "magic"}}}, "with"),
        ({"dataset": None}, "Dataset"),
    ],
)
def test_what_this_release_cannot_read_is_told(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    use_case = make_use_case(tmp_path)
    with pytest.raises(
        ModelError, match=rf"Model shop version 1 was trained by a release whose .* cannot read: .*{told}"
    ):
        apply_recipe(use_case, keep(use_case) | changes, what="Model shop version 1")
