"""Rows count as much as they are said to, predictions go the way they are told, and what cannot be heeded is said at once."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pyspark.sql import DataFrame, SparkSession

from sparkml_ops.config.model import Model
from sparkml_ops.errors import ConfigError, TrainingError
from sparkml_ops.lake import Lake
from sparkml_ops.models import FeatureEncoder, find_version, load_version, prepare_tracking
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.training import hash_training, train
from sparkml_ops.training.directions import find_directions
from sparkml_ops.training.estimators import FitSettings, find_estimator
from sparkml_ops.training.estimators.sklearn import CAN_HEED_DIRECTIONS
from sparkml_ops.training.matrix import Part, map_matrix, unmap_matrix, write_matrix
from sparkml_ops.training.prepare import WEIGHS, prepare_encoder
from sparkml_ops.training.weights import compile_weight, weigh_part
from tests.training.conftest import FEATURES, SCHEMA, make_decisions, make_use_case, write_training_set

BOOSTED, FOREST = "sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.ensemble.RandomForestClassifier"
LOGISTIC, NEIGHBOURS = "sklearn.linear_model.LogisticRegression", "sklearn.neighbors.KNeighborsClassifier"
SETTINGS = FitSettings("lightgbm", {"num_leaves": 7, "min_data_in_leaf": 5}, "roc_auc", 3, 10, [1])
PARAMS: dict[str, dict[str, Any]] = {
    "lightgbm": SETTINGS.params,
    BOOSTED: {"max_iter": 40},
    FOREST: {"n_estimators": 20},
}  # type: ignore[dict-item]


def make_rows(rows: int = 1500) -> Part:
    """A number that the label follows up and down again, a level between the numbers, and one more number that it follows."""
    random = np.random.default_rng(5)
    wave, level, other = random.uniform(-3, 3, rows), random.integers(0, 30, rows), random.normal(size=rows)
    logit = 2 * np.sin(2 * wave) + 0.7 * wave + (level % 3) - other
    return Part(np.column_stack([wave, level, other]), (random.random(rows) < 1 / (1 + np.exp(-logit))).astype(float))


def fit(rows: Part, estimator: str = "lightgbm", **settings: Any) -> Any:
    wanted = replace(SETTINGS, **({"estimator": estimator, "params": PARAMS.get(estimator, {})} | settings))
    return find_estimator(estimator).fit_final(rows, wanted, 60)


def ask(fitted: Any, features: NDArray[np.float64], estimator: str = "lightgbm") -> NDArray[np.float64]:
    return find_estimator_kind(find_estimator(estimator).KIND).predict_values(fitted, features, task="binary")


def find_steps(fitted: Any, estimator: str, column: int) -> NDArray[np.float64]:
    """How the answer changes from point to point of a grid over one column, all others held, for some rows."""
    grid, steps = np.linspace(-3, 3, 61), []
    for held in make_rows().features[:20]:
        features = np.tile(held, (len(grid), 1))
        features[:, column] = grid
        steps.append(np.diff(ask(fitted, features, estimator)))
    return np.concatenate(steps)


def make_model(**keys: Any) -> Model:
    return Model.model_validate({"task": "binary"} | keys)


@pytest.mark.parametrize("estimator", ["lightgbm", BOOSTED, FOREST])
def test_a_column_with_a_direction_moves_the_answer_that_way_alone(estimator: str) -> None:
    free = fit(make_rows(), estimator)
    assert find_steps(free, estimator, 0).min() < -0.01 < 0.01 < find_steps(free, estimator, 0).max()
    told = fit(make_rows(), estimator, directions=(1, 0, -1))
    for column, sign in ((0, 1), (2, -1)):
        steps = sign * find_steps(told, estimator, column)
        assert steps.min() >= -1e-9
        assert steps.max() > 0.01  # it is learned from all the same
    backwards = fit(make_rows(), estimator, directions=(-1, 0, 0))
    assert find_steps(backwards, estimator, 0).max() <= 1e-9


def test_integer_weights_do_as_repeated_rows() -> None:
    rows = make_rows()
    rows = Part(np.round(rows.features, 1), rows.labels)  # so few values that bins are the same with rows repeated
    times = np.random.default_rng(1).integers(0, 4, len(rows.labels))
    repeated = rows.take(np.repeat(np.arange(len(times)), times))
    # leaves are bounded by weight, not by rows; levels of categories would be smoothed by rows
    params = {"num_leaves": 7, "min_data_in_leaf": 1, "min_sum_hessian_in_leaf": 5, "min_data_in_bin": 1}
    how: dict[str, Any] = {"params": params, "categorical_positions": []}
    weighed = ask(fit(replace(rows, weights=times.astype(float)), **how), rows.features)
    np.testing.assert_allclose(weighed, ask(fit(repeated, **how), rows.features), atol=1e-6)
    assert np.abs(weighed - ask(fit(rows, **how), rows.features)).max() > 0.1


@pytest.mark.parametrize("estimator", ["lightgbm", LOGISTIC])
def test_class_weights_do_as_weights_of_the_rows(estimator: str) -> None:
    rows = make_rows()
    weights = np.where(rows.labels == 1, 5.0, 2.0)
    by_row = ask(fit(replace(rows, weights=weights), estimator), rows.features, estimator)
    given = make_model(class_weight={0: 2.0, 1: 5.0}).class_weight
    by_class = ask(fit(rows, estimator, class_weight=given), rows.features, estimator)
    np.testing.assert_array_equal(by_class, by_row)
    assert by_class.mean() > ask(fit(rows, estimator), rows.features, estimator).mean() + 0.05


def test_balanced_classes_have_the_same_sum_and_rows_keep_their_own_weights() -> None:
    rows = Part(np.zeros((10, 1)), np.array([1.0] * 2 + [0.0] * 8))
    balanced = weigh_part(rows, "balanced").weights
    assert balanced is not None
    assert balanced.tolist() == [2.5] * 2 + [0.625] * 8  # 10 / (2 * 2) and 10 / (2 * 8)
    own = weigh_part(replace(rows, weights=np.arange(10.0)), "balanced").weights
    assert own is not None
    assert own.tolist() == [0, 2.5, *(0.625 * at for at in range(2, 10))]
    assert weigh_part(rows, None) is rows


def test_figures_of_a_trial_count_each_row_once(tmp_path: Path, spark: SparkSession) -> None:
    rows = spark.range(600).selectExpr(
        "cast('2024-01-01' as timestamp) + make_interval(0, 0, 0, 0, 0, cast(id as int)) as at", "id % 50 as x",
        "cast(pmod(hash(id), 50) < id % 50 as int) as label", "if(id < 400, 'train', 'valid') as split",
        "double(1 + id % 3) as w",
    )  # fmt: skip
    encoder = FeatureEncoder((EncodedColumn("x", "numeric"),))
    settings = replace(SETTINGS, categorical_positions=[], params={"num_leaves": 4})
    figures = {}
    for name, weight in (("plain", None), ("weighed", rows["w"])):
        folder = str(tmp_path / name)
        write_matrix(rows, encoder, folder, timestamp="at", identity=["x"], weight=weight)
        figures[name] = find_estimator("lightgbm").fit_trial(folder, settings).metrics["log_loss"]
    matrix = map_matrix(str(tmp_path / "weighed"))
    assert matrix.train.weights is not None
    assert matrix.train.weights.tolist() == [1.0 + at % 3 for at in range(400)]
    assert matrix.valid.weights is not None
    assert len(matrix.valid.weights) == 200
    assert map_matrix(str(tmp_path / "plain")).rows.weights is None
    assert figures["plain"] != figures["weighed"]  # the fit is another
    everything_once = find_estimator("lightgbm").fit_trial(
        str(tmp_path / "plain"), replace(settings, class_weight=None)
    )
    assert everything_once.metrics["log_loss"] == figures["plain"]
    heavy = make_model(class_weight={0: 3.0, 1: 3.0}).class_weight
    tripled = find_estimator("lightgbm").fit_trial(str(tmp_path / "plain"), replace(settings, class_weight=heavy))
    assert tripled.metrics["log_loss"] < 1  # a weighted sum would be three times as large
    for name in figures:
        unmap_matrix(str(tmp_path / name))


@pytest.fixture(scope="module")
def decisions(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame(make_decisions(300), SCHEMA).cache()


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("orders__amount * 0 / 0", "cannot be computed for some rows (DIVIDE_BY_ZERO)"),
        ("if(customer = 3, -1, 1)", "gives 3 of 225 rows no weight that can be used: 3 below zero. For instance customer=3: -1.0; customer=3"),
        ("if(customer < 2, null, 1)", "6 null. For instance customer=0: None; "),
        ("if(customer = 1, double('NaN'), 1)", "3 not a number (NaN)"),
        ("if(customer = 1, double('infinity'), 1)", "3 infinite or above 1e+15"),
        ("if(customer = 1, -double('infinity'), 1)", "3 below zero"),
        ("1e300", "225 infinite or above 1e+15"),
        ("case when customer = 0 then null when customer = 1 then -2 when customer = 2 then 1e99 else 1 end", "3 null, 3 below zero, 3 infinite"),
        ("0", "is 0 for all rows of both classes in the part train"),
        ("label", "is 0 for all rows of class 0 in the part train"),
        ("if(split = 'valid', 1, 1 - label)", "is 0 for all rows of class 1 in the part train"),
    ],
)  # fmt: skip
def test_weights_that_cannot_be_used_are_refused(decisions: DataFrame, sql: str, told: str) -> None:
    with pytest.raises(TrainingError) as raised:
        compile_weight(decisions, sql, key=["customer"])
    assert told in str(raised.value)
    assert len(str(raised.value)) < 600


def test_no_value_of_personal_data_is_told_of_a_weight(decisions: DataFrame) -> None:
    with pytest.raises(
        TrainingError, match=r"For instance customer=\(personal data\): -1\.0; customer=\(personal data\)"
    ):
        compile_weight(decisions, "if(hour < 3, -1, 1)", key=["customer"], withhold=["customer"])
    with pytest.raises(TrainingError, match=r"For instance customer=3: \(personal data\); customer=3"):
        compile_weight(decisions, "if(customer = 3, -HOUR - 1, 1)", key=["customer"], withhold=["hour"])


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("orders__town", "is string; expected a number"),
        ("ordered_at", "is timestamp; expected a number"),
        ("array(1)", "is array<int>; expected a number"),
        ("importance", "cannot be computed: "),
    ],
)
def test_what_is_no_weight_is_refused(decisions: DataFrame, sql: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        compile_weight(decisions, sql, key=["customer"])
    assert told in str(raised.value)


def test_rows_may_weigh_nothing_and_whole_numbers_and_truths_are_weights(decisions: DataFrame) -> None:
    for sql in ("customer % 2", "orders__town = 'Ulm'", "1", "case when label = 1 then 10 else hour end"):
        weight = compile_weight(decisions, sql, key=["customer"])
        assert decisions.select(weight.alias("w")).schema["w"].dataType.simpleString() == "double"


def test_a_column_that_is_a_weight_is_no_feature(decisions: DataFrame, tmp_path: Path) -> None:
    chosen, encoder = prepare_encoder(make_use_case(tmp_path, sample_weight="HOUR"), decisions, FEATURES)
    assert (chosen.left_out["hour"], "hour" in encoder.feature_columns) == (WEIGHS, False)
    computed, _ = prepare_encoder(make_use_case(tmp_path, sample_weight="hour + 1"), decisions, FEATURES)
    assert "hour" in computed.kept


def test_directions_are_those_of_the_columns_of_the_matrix() -> None:
    encoder = FeatureEncoder(
        (
            EncodedColumn("a", "numeric", flag=True),
            EncodedColumn("t", "categorical", ("x",)),
            EncodedColumn("b", "numeric"),
        )
    )
    assert find_directions({"b": "decreasing", "a": "increasing"}, encoder) == (1, 0, -1, 0)
    assert find_directions({"gone": "increasing"}, encoder) == ()
    with pytest.raises(ConfigError, match=r"model.monotone: t is text, whose values have no order"):
        find_directions({"t": "increasing"}, encoder)


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"estimator": NEIGHBOURS, "class_weight": "balanced"}, "model.class_weight: sklearn.neighbors.KNeighborsClassifier takes no weights"),
        ({"estimator": NEIGHBOURS, "sample_weight": "x"}, "model.sample_weight: sklearn.neighbors.KNeighborsClassifier takes no weights"),
        ({"estimator": LOGISTIC, "monotone": {"x": "increasing"}}, "cannot keep a direction: it has no parameter monotonic_cst. These can: lightgbm, sklearn.ensemble.Hist"),
        ({"estimator": LOGISTIC, "class_weight": "balanced", "params": {"class_weight": "balanced"}}, "the parameter 'class_weight' would say a second time what model.class_weight says"),
        ({"estimator": BOOSTED, "monotone": {"x": "increasing"}, "params": {"monotonic_cst": [1]}}, "the parameter 'monotonic_cst' would say a second time"),
        ({"class_weight": "balanced", "params": {"unbalance": True}}, "'unbalance' would weigh the classes a second time"),
        ({"class_weight": "balanced", "params": {"scale_pos_weight": 2}}, "'scale_pos_weight' would weigh the classes a second time"),
        ({"monotone": {"x": "increasing"}, "params": {"linear_tree": True}}, "'linear_tree' and model.monotone exclude each other"),
    ],
)  # fmt: skip
def test_wishes_that_cannot_be_heeded_are_said_before_anything_starts(keys: dict[str, Any], told: str) -> None:
    model = make_model(**keys)
    with pytest.raises(ConfigError) as raised:
        find_estimator(model.estimator).check_wishes(model, list(model.params))
    assert told in str(raised.value)


def find_refusal(model: Model) -> str | None:
    try:
        find_estimator(model.estimator).check_wishes(model, list(model.params))
    except ConfigError as error:
        return str(error)
    return None


def test_wishes_that_can_be_heeded_are_not_refused() -> None:
    wishes = {"class_weight": "balanced", "sample_weight": "x", "monotone": {"x": "increasing"}}
    asked = [make_model(estimator=estimator, **wishes) for estimator in CAN_HEED_DIRECTIONS]
    alone = make_model(params={"scale_pos_weight": 2, "linear_tree": True})
    assert [find_refusal(model) for model in (*asked, alone)] == [None] * (len(asked) + 1)
    both = make_model(params={"scale_pos_weight": 2}, class_weight="balanced")
    assert "a second time" in (find_refusal(both) or "")  # what is found where there is something to find


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("class_weight", "it is a key of its own, model.class_weight"),
        ("monotone", "it is a key of its own, model.monotone"),
        ("monotone_constraints", "set by the framework"),
        ("mc", "set by the framework"),
    ],
)
def test_lightgbm_is_told_by_keys_of_the_model(name: str, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        find_estimator("lightgbm").check_params("lightgbm", [name])
    assert told in str(raised.value)


def test_a_wish_goes_through_the_whole_training(shop_lake: Lake, root: Path) -> None:
    write_training_set(shop_lake, make_decisions())
    wishes: dict[str, Any] = {
        "class_weight": {0: 1, 1: 4},
        "sample_weight": "case when orders__town = 'Ulm' then 2 else hour / 24 + 0.5 end",
        "monotone": {"orders__amount": "increasing", "nothing": "decreasing"},
        "search": {"max_trials": 2, "parallelism": 1, "space": {"max_bin": {"choice": [31, 63]}}},
    }
    result = train(make_use_case(root, **wishes), shop_lake)
    tracking = prepare_tracking(make_use_case(root).environment)
    model = load_version(tracking, find_version(tracking, "shop", version=result.model_version))
    assert {key: model.metadata[key] for key in ("class_weight", "sample_weight", "monotone")} == {
        "class_weight": {"0": 1.0, "1": 4.0}, "sample_weight": wishes["sample_weight"], "monotone": wishes["monotone"],
    }  # fmt: skip
    frame = make_decisions(61, seed=3)[model.feature_columns].assign(
        orders__town="Ulm", hour=3.0, orders__amount=np.linspace(-3, 3, 61)
    )
    steps = np.diff(model.predict(frame))
    assert (steps.min() >= 0, steps.max() > 0.005) == (True, True)  # the label follows |amount|: it would fall, too
    labels = make_decisions().query("split == 'test'")
    answers = model.predict(labels[model.feature_columns].astype({"orders__amount": float}))
    assert answers.mean() > labels["label"].mean() + 0.1  # positives count four times


def test_a_refusal_is_told_as_it_is(shop_lake: Lake, root: Path) -> None:
    write_training_set(shop_lake, make_decisions())
    with pytest.raises(TrainingError, match=r"model\.sample_weight: `customer - 3` gives .* below zero"):
        train(make_use_case(root, sample_weight="customer - 3"), shop_lake)
    with pytest.raises(ConfigError, match=r"model\.monotone: orders__town is text"):
        train(make_use_case(root, monotone={"orders__town": "increasing"}), shop_lake)


def list_hashes(root: Path, changes: Sequence[dict[str, Any]]) -> list[str]:
    return [hash_training(make_use_case(root, **change)) for change in changes]


def test_a_changed_wish_is_another_training(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {}, {"class_weight": "balanced"}, {"class_weight": {0: 1, 1: 2}}, {"class_weight": {0: 1, 1: 3}},
        {"sample_weight": "hour"}, {"sample_weight": "hour + 1"}, {"monotone": {"hour": "increasing"}},
        {"monotone": {"hour": "decreasing"}},
    ]  # fmt: skip
    assert len(set(list_hashes(tmp_path, changes))) == len(changes)
    assert (
        len(set(list_hashes(tmp_path, [{"class_weight": {0: 1, 1: 2}}, {"class_weight": {"1": 2.0, "0": 1.0}}]))) == 1
    )
