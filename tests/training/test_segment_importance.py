"""What the models of segments look at is summed up in a few columns, however many models there are."""

import numpy as np
import pytest

from sparkml_ops.models import EncodedColumn, FeatureEncoder
from sparkml_ops.models.card_segments import _tell_importance
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.matrix import Part
from sparkml_ops.training.probes import group_positions
from sparkml_ops.training.segment_importance import TOLD, look_at, summarize

ENCODER = FeatureEncoder((
    EncodedColumn("noise", "numeric"), EncodedColumn("x", "numeric", flag=True), EncodedColumn("town", "categorical", ("a", "b")),
))  # fmt: skip


def make_part() -> Part:
    """`x` says most, also by being missing; the town says a little, the noise nothing."""
    random = np.random.default_rng(0)
    x, town, missing = random.normal(size=1500), random.integers(0, 2, 1500), random.random(1500) < 0.2
    logit = np.where(missing, -3, 2 * x) + 0.7 * town
    features = np.column_stack([random.normal(size=1500), np.where(missing, 0.0, x), town, missing])
    return Part(features, (random.random(1500) < 1 / (1 + np.exp(-logit))).astype(float))


@pytest.mark.parametrize("name", ["lightgbm", "sklearn.linear_model.LogisticRegression"])
def test_a_model_is_looked_at_by_what_its_columns_add(name: str) -> None:
    part, estimator = make_part(), find_estimator(name)
    fitted = estimator.fit_final(part, FitSettings(name, {}, "roc_auc", 3, 10, [2], threads=1), 20)
    groups = group_positions(ENCODER)
    assert groups == [[0], [1, 3], [2]]
    looked = look_at(find_estimator_kind(estimator.KIND), fitted, part.features, groups)
    assert looked[0][0] == 1
    assert 0.5 < looked[0][1] < 1
    assert sum(share for _, share in looked) <= 1 + 1e-9


def test_a_model_that_does_not_say_what_its_columns_add_is_left_out() -> None:
    name, part = "sklearn.ensemble.HistGradientBoostingClassifier", make_part()
    fitted = find_estimator(name).fit_final(part, FitSettings(name, {"max_iter": 3}, "roc_auc", 3, 10, [2]), 0)
    assert look_at(find_estimator_kind("sklearn"), fitted, part.features, group_positions(ENCODER)) == ()
    assert summarize([(), ()], ["a"]) == {}
    assert _tell_importance({}) == ""


def test_many_models_are_a_few_columns() -> None:
    names = [f"c{at:02d}" for at in range(40)]
    looked = [((1, 0.6), (at % 40, 0.2)) for at in range(2, 39)] + [((0, 0.9), (1, 0.1))] * 2 + [()]
    found = summarize(looked, names)
    assert (found["models"], found["top"], len(found["columns"])) == (39, 3, TOLD)
    assert found["columns"][0] == {
        "name": "c01",
        "first": 37,
        "among": 39,
        "share": pytest.approx((37 * 0.6 + 0.2) / 39),
    }
    assert found["columns"][1] == {"name": "c00", "first": 2, "among": 2, "share": pytest.approx(0.9)}
    assert [one["name"] for one in found["columns"][2:4]] == ["c02", "c03"]
    told = _tell_importance(found)
    assert "What 39 models of segments look at" in told
    assert "| `c01` | 37 | 39 | 57% |" in told
