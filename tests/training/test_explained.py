"""What is told of a model's columns holds no personal data."""

from pathlib import Path
from typing import Any

from sparkml_ops.config.use_case import UseCase
from sparkml_ops.training.explained import list_withheld
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
    assert list_withheld(shop_with(tmp_path, pii=True)) == {"town", "orders__town", "where", "length"}
    assert list_withheld(shop_with(tmp_path, pii=False)) == frozenset()


def test_a_diagnosis_makes_no_older_model_outdated_and_its_absence_is_another_order(tmp_path: Path) -> None:
    from sparkml_ops.config.use_case import hash_config
    from sparkml_ops.training.candidate import list_imputes

    use_case = make_use_case(tmp_path)
    before = use_case.model.model_dump(mode="json", by_alias=True, exclude={"diagnosis"})
    imputes = {name: how.model_dump(mode="json") for name, how in list_imputes(use_case).items()}
    assert hash_training(use_case) == hash_config(before, imputes)
    assert hash_training(make_use_case(tmp_path, diagnosis=False)) != hash_training(use_case)
