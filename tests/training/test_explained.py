"""What is told of a model's columns holds no personal data."""

from pathlib import Path
from typing import Any

from sparkml_ops.config.column_reads import list_personal_features
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.training.train import hash_training
from tests.training.conftest import make_use_case, shop_config


def shop_with(root: Path, *, pii: bool) -> UseCase:
    config: dict[str, Any] = shop_config(root)
    declared = {name: {"type": "string"} for name in ("at", "town", "amount", "ordered_at")}
    config["sources"]["orders"]["columns"] = declared | {"customer": {"type": "long"}}
    config["sources"]["orders"]["columns"]["town"]["pii"] = pii
    config["dataset"]["derived"] = {
        "hour": "hour(ordered_at)",
        "where": "upper(Orders__Town)",
        "length": "length(where)",
    }
    return UseCase.model_validate(config, strict=False)


def test_what_is_made_of_personal_data_is_withheld(tmp_path: Path) -> None:
    assert list_personal_features(shop_with(tmp_path, pii=True)) == {"orders__town", "where", "length"}
    assert list_personal_features(shop_with(tmp_path, pii=False)) == frozenset()


def test_what_is_said_as_it_is_by_default_is_no_other_order(tmp_path: Path) -> None:
    silent = hash_training(make_use_case(tmp_path))
    assert hash_training(make_use_case(tmp_path, diagnosis=True, class_weight=None, monotone={})) == silent
    assert hash_training(make_use_case(tmp_path, diagnosis=False)) != silent
    assert hash_training(make_use_case(tmp_path, costs={"false_positive": 1, "false_negative": 2})) != silent
