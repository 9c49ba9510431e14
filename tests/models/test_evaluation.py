"""The figures are those of scikit-learn; the intervals hold the truth about as often as they say."""

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from sklearn.metrics import average_precision_score, brier_score_loss, log_loss, roc_auc_score

from sparkml_ops.errors import ModelError
from sparkml_ops.models import compare, evaluate, evaluate_all
from sparkml_ops.models.evaluation import compare_counts, evaluate_counts
from sparkml_ops.models.score_counts import BINS, LOGIT_LIMIT, ScoreCounts, count_scores


def draw(rows: int, days: int, seed: int, *, day_effect: float = 0.5) -> pd.DataFrame:
    """Scores and labels; all rows of a day share a shift that the score does not see."""
    random = np.random.default_rng(seed)
    day = random.integers(0, days, rows)
    score = random.normal(-1.5, 1.2, rows)
    shift = random.normal(0, day_effect, days)[day]
    label = (random.random(rows) < 1 / (1 + np.exp(-score - shift))).astype(int)
    noisy = score + random.normal(0, 1.0, rows)
    at = pd.Timestamp("2013-01-01", tz="UTC") + pd.to_timedelta(day, unit="D")
    p, q = (1 / (1 + np.exp(-x)) for x in (score, noisy))
    return pd.DataFrame({"at": at, "day": day, "label": label, "p": p, "q": q})


def count(frame: pd.DataFrame, column: str) -> ScoreCounts:
    """What Spark counts, counted by NumPy."""
    blocks = np.unique(frame["day"], return_inverse=True)[1]
    p, y = frame[column].to_numpy(), frame["label"].to_numpy()
    at = np.minimum(
        ((np.log(p / (1 - p)).clip(-12, 12) + LOGIT_LIMIT) / (2 * LOGIT_LIMIT) * BINS).astype(int), BINS - 1
    )
    counts = np.zeros((3, blocks.max() + 1, BINS))
    for part, weight in enumerate((np.ones(len(p)), y, p)):
        np.add.at(counts[part], (blocks, at), weight)
    losses = -(y * np.log(p) + (1 - y) * np.log(1 - p))
    return ScoreCounts(*counts, np.bincount(blocks, losses), np.bincount(blocks, (p - y) ** 2))


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return draw(20_000, 30, seed=0)


@pytest.fixture(scope="module")
def scored(spark: SparkSession, frame: pd.DataFrame) -> DataFrame:
    return spark.createDataFrame(frame).cache()


def test_the_figures_are_those_of_sklearn(scored: DataFrame, frame: pd.DataFrame) -> None:
    found = evaluate(scored, label="label", prediction="p", block="at", seed=0)
    values = {name: figure.value for name, figure in found.metrics.items()}
    assert values["roc_auc"] == pytest.approx(roc_auc_score(frame["label"], frame["p"]), abs=1e-3)
    assert values["pr_auc"] == pytest.approx(average_precision_score(frame["label"], frame["p"]), abs=2e-3)
    assert values["log_loss"] == pytest.approx(log_loss(frame["label"], frame["p"]), rel=1e-12)
    assert values["brier"] == pytest.approx(brier_score_loss(frame["label"], frame["p"]), rel=1e-12)
    assert (found.rows, found.positives, found.blocks, found.reason) == (20_000, frame["label"].sum(), 30, None)


def test_every_interval_holds_its_value(scored: DataFrame) -> None:
    found = evaluate(scored, label="label", prediction="q", block="at", seed=0)
    for name in ("roc_auc", "pr_auc", "log_loss", "brier"):
        figure = found.metrics[name]
        assert figure.lower < figure.value < figure.upper, name


def test_the_seed_fixes_the_intervals(frame: pd.DataFrame) -> None:
    counts = count(frame, "p")
    first, again, other = (evaluate_counts(counts, seed=seed) for seed in (1, 1, 2))
    assert first.metrics["roc_auc"] == again.metrics["roc_auc"]
    assert first.metrics["roc_auc"].lower != other.metrics["roc_auc"].lower


def test_the_bootstrap_is_that_of_the_rows(frame: pd.DataFrame) -> None:
    """Weights over counts give the same as drawing whole days of rows."""
    days = [part for _, part in frame.groupby("day")]
    random = np.random.default_rng(3)
    drawn = [pd.concat([days[at] for at in random.integers(0, len(days), len(days))]) for _ in range(200)]
    by_rows = np.quantile([roc_auc_score(rows["label"], rows["p"]) for rows in drawn], [0.025, 0.975])
    figure = evaluate_counts(count(frame, "p"), seed=0).metrics["roc_auc"]
    assert [figure.lower, figure.upper] == pytest.approx(by_rows, abs=0.003)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    world = draw(400_000, 4000, seed=99)
    truth = roc_auc_score(world["label"], world["p"])
    held = 0
    for seed in range(40):
        figure = evaluate_counts(count(draw(3000, 30, seed=seed), "p"), seed=seed).metrics["roc_auc"]
        held += figure.lower <= truth <= figure.upper
    assert held >= 34  # 38 are promised; 30 days are few, and 40 trials scatter by 2


def test_calibration_groups_hold_all_rows_and_show_a_model_that_says_too_much(scored: DataFrame) -> None:
    boasting = scored.withColumn("p", F.least(F.col("p") * 2, F.lit(0.999)))
    honest = evaluate(scored, label="label", prediction="p", block="at", seed=0)
    found = evaluate(boasting, label="label", prediction="p", block="at", seed=0)
    assert sum(group.rows for group in found.calibration) == 20_000
    assert all(group.predicted > group.observed for group in found.calibration)
    assert found.metrics["ece"].value > 0.1 > honest.metrics["ece"].value


def test_several_columns_in_one_pass_are_the_same_as_one_by_one(scored: DataFrame) -> None:
    together = evaluate_all(scored, label="label", predictions=["q", "p"], block="at", seed=0)
    alone = {name: evaluate(scored, label="label", prediction=name, block="at", seed=0) for name in ("p", "q")}
    for name in ("p", "q"):
        assert together[name].metrics["roc_auc"] == alone[name].metrics["roc_auc"]


def test_constant_predictions_are_worth_a_coin(scored: DataFrame) -> None:
    found = evaluate(scored.withColumn("p", F.lit(0.2)), label="label", prediction="p", block="at", seed=0)
    assert found.metrics["roc_auc"].value == 0.5
    assert [group.rows for group in found.calibration] == [20_000]


def test_certain_answers_have_a_finite_loss(spark: SparkSession) -> None:
    rows = spark.createDataFrame([(0, 0.0, 1), (1, 1.0, 2), (1, 0.0, 3)], "label int, p double, day int")
    found = evaluate(rows, label="label", prediction="p", block="day", seed=0)
    assert found.metrics["log_loss"].value == pytest.approx(log_loss([0, 1, 1], [0.0, 1.0, 0.0]), rel=1e-9)
    assert found.metrics["roc_auc"].value == 0.75


def test_a_single_class_leaves_the_ranking_open_and_says_why(scored: DataFrame) -> None:
    found = evaluate(scored.where("label = 0"), label="label", prediction="p", block="at", seed=0)
    assert found.metrics["roc_auc"].value is found.metrics["pr_auc"].lower is None
    assert found.metrics["log_loss"].value is not None
    assert found.reason == f"all {found.rows} labels are 0: ranking metrics need both classes"


def test_no_labels_leave_everything_open(scored: DataFrame) -> None:
    unlabelled = scored.withColumn("label", F.lit(None).cast("int"))
    found = evaluate(unlabelled, label="label", prediction="p", block="at", seed=0)
    assert (found.rows, found.reason) == (0, "no row has a label")
    assert all(figure.value is figure.lower is None for figure in found.metrics.values())


def test_few_days_give_figures_without_intervals(scored: DataFrame) -> None:
    found = evaluate(scored.where("day < 3"), label="label", prediction="p", block="at", seed=0)
    assert found.metrics["roc_auc"].value is not None
    assert found.metrics["roc_auc"].lower is None
    assert found.reason == "no intervals: 3 blocks (days), at least 5 are needed"


@pytest.mark.parametrize("wrong", ["cast(null as double)", "cast('NaN' as double)", "1.01D", "-0.01D"])
def test_what_is_no_probability_cannot_be_judged(scored: DataFrame, wrong: str) -> None:
    broken = scored.withColumn("p", F.expr(f"case when day = 4 then {wrong} else p end"))
    with pytest.raises(ModelError, match=r"Rows by prediction column: p: \d+\."):
        evaluate(broken, label="label", prediction="p", block="at", seed=0)


def test_many_values_make_at_most_64_blocks(scored: DataFrame) -> None:
    counts = count_scores(scored, label="label", predictions=["p"], block=F.col("p").cast("string"))
    assert len(counts[0].rows) == 64
    assert counts[0].rows.sum() == 20_000


def test_the_better_model_is_told_apart(scored: DataFrame) -> None:
    found = compare(scored, label="label", pair=("p", "q"), block="at", seed=0)
    gain, loss = found.metrics["roc_auc"], found.metrics["log_loss"]
    assert gain.candidate - gain.champion == pytest.approx(gain.difference)
    assert 0 < gain.lower < gain.difference < gain.upper
    assert gain.confidence == loss.confidence == 1.0
    assert loss.upper < 0  # a lower loss is the better one
    back = compare(scored, label="label", pair=("q", "p"), block="at", seed=0)
    assert back.metrics["roc_auc"].confidence == back.metrics["log_loss"].confidence == 0.0


def test_a_model_is_not_better_than_itself(scored: DataFrame) -> None:
    found = compare(scored, label="label", pair=("p", "p"), block="at", seed=0)
    assert found.metrics["roc_auc"].difference == 0
    assert found.metrics["roc_auc"].confidence == 0.5


def test_the_same_days_for_both_tell_more_than_two_intervals() -> None:
    frame = draw(6000, 30, seed=5, day_effect=1.5)
    noise = np.random.default_rng(6).normal(0, 0.4, len(frame))
    slightly = frame.assign(q=1 / (1 + np.exp(-np.log(frame["p"] / (1 - frame["p"])) + noise)))
    counts = count(slightly, "p"), count(slightly, "q")
    alone = [evaluate_counts(part, seed=0).metrics["log_loss"] for part in counts]
    assert alone[0].upper > alone[1].lower  # the intervals overlap
    assert compare_counts(*counts, seed=0).metrics["log_loss"].upper < 0  # and yet the difference is clear
