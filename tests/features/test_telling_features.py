"""What each feature alone says of the label; on rows whose answers are known beforehand."""

import pytest

from sparkml_ops.config.audit import Audit
from sparkml_ops.features.audit_figures import accept_known, judge_telling
from sparkml_ops.features.telling_features import correlate_with_time, tell_features

ROWS = 1000
FEATURES = {
    "copy": "label * 3.5D - 1",
    "reversed": "-1.0D * label",
    "code": "case when label = 1 then 2.0D else 1.0D + 2 * (id % 2) end",  # 1 and 3 mean 0, 2 means 1
    "noise": "pmod(xxhash64(id, 'noise'), 997) / 997.0D",
    "constant": "5.0D",
    "empty": "cast(null as double)",
    "word": "if(label = 1, 'refused', 'paid')",
    "town": "elt(cast(pmod(xxhash64(id, 'town'), 3) + 1 as int), 'Köln', 'Bonn', 'x')",
    "number": "id * 1.0D",
    "name": "concat('order-', id)",
    "clock": "id * 1.37D + 0.1",
    "amount": "pmod(xxhash64(id, 'a'), 1000003) / 7.0D",
    "refund": "if(label = 1, 5.0D + id % 3, null)",
    "rarely": "if(label = 1 and id % 20 = 0, 1.0D + id % 3, null)",
    "gap": "if(pmod(xxhash64(id, 'gap'), 10) = 0, null, id % 7 * 1.0D)",
    "strange": "case id % 3 when 0 then double('NaN') when 1 then double('inf') else label * 1.0D end",
}


@pytest.fixture(scope="module")
def rows(spark):
    decided = spark.range(ROWS).selectExpr(
        "id", "timestamp_micros(id * 1000000) AS at", "cast(id % 4 = 0 as int) AS label"
    )
    return decided.selectExpr("*", *(f"{sql} AS {name}" for name, sql in FEATURES.items())).repartition(5).cache()


@pytest.fixture(scope="module")
def told(rows):
    return {each.feature: each for each in tell_features(rows, [*FEATURES], key=["id"], seed=3)}


@pytest.mark.parametrize("name", ["copy", "reversed", "code", "word", "strange"])
def test_a_copy_of_the_label_is_found_whatever_its_form(told, name):
    assert told[name].alone == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["noise", "constant", "town", "number", "name", "amount", "gap"])
def test_what_says_nothing_of_the_label_is_near_a_half(told, name):
    assert 0.4 < told[name].alone < 0.6


def test_the_area_is_that_of_all_pairs(spark):
    """Of the pairs of a 1 and a 0, those in order and half of the ties; 10 of each class."""
    ones, zeros = [1, 2, 2, 3, 5, 5, 7, 8, 9, 9], [0, 1, 2, 2, 3, 4, 5, 6, 6, 7]
    won = sum((a > b) + (a == b) / 2 for a in ones for b in zeros)
    labelled = [(n, float(v), int(n < 10)) for n, v in enumerate([*ones, *zeros])]
    sample = spark.createDataFrame(labelled, "id long, x double, label int").repartition(3)
    (found,) = tell_features(sample, ["x"], key=["id"], seed=0)
    assert found.alone == pytest.approx(won / 100)
    assert (found.missing, found.one_class, found.distinct) == (None, None, None), "20 rows are too few"


def test_gaps_that_follow_the_label_are_told(told):
    assert told["refund"].missing == pytest.approx(1.0)
    assert told["refund"].alone is None, "there is one class among those that have it"
    assert told["gap"].missing == pytest.approx(0.5, abs=0.05)
    assert told["copy"].missing is None


def test_gaps_of_one_class_are_told_where_they_are_rare(spark, told):
    assert told["rarely"].missing == pytest.approx(0.6, abs=0.01)
    assert told["rarely"].one_class is None or told["rarely"].one_class > 1e-9, "50 rows could be chance"
    sample = spark.range(4000).selectExpr("id", "cast(id % 4 = 0 as int) AS label", "if(id % 20 = 0, 1.0D, null) AS x")
    (found,) = tell_features(sample, ["x"], key=["id"], seed=0)
    assert found.missing == pytest.approx(0.6)
    assert found.one_class < 1e-100


def test_a_feature_that_is_never_there_says_nothing(told):
    assert (told["empty"].known, told["empty"].alone, told["empty"].distinct) == (0, None, None)


def test_names_of_rows_are_text_or_whole_and_all_different(told):
    assert {name for name, each in told.items() if each.distinct and each.distinct > 0.99 and each.is_whole} == {
        "number",
        "name",
    }


def test_a_clock_goes_with_the_moment(rows):
    found = correlate_with_time(rows, ["clock", "amount"], timestamp="at")
    assert found["clock"] == pytest.approx(1.0)
    assert abs(found["amount"]) < 0.1


def test_findings_are_past_their_limits_and_say_what_to_do(told):
    clocks = {"clock": 1.0, "amount": 0.02}
    figures = [f for name, each in told.items() for f in judge_telling(each, Audit(), clock=clocks.get(name))]
    found = {(figure.check, figure.subject) for figure in figures if figure.verdict == "alert"}
    assert found == {
        *(("label_copy", name) for name in ("copy", "reversed", "code", "word", "strange")),
        ("missing_tells", "refund"),
        ("one_class_gaps", "refund"),
        ("identifier", "number"),
        ("identifier", "name"),
        ("row_order", "clock"),
    }
    assert all(figure.message for figure in figures if figure.verdict == "alert")
    assert not any(figure.message for figure in figures if figure.verdict != "alert")


def test_limits_are_those_that_are_set(told):
    stricter = Audit(label_copy_over=0.501, missing_tells_over=0.55)
    alerts = [f.check for f in judge_telling(told["rarely"], stricter, clock=None) if f.verdict == "alert"]
    assert alerts == ["missing_tells"]


def test_a_finding_with_a_reason_is_accepted_and_still_told(told):
    (copy, *_) = accept_known(judge_telling(told["copy"], Audit(), clock=None), {"copy": "it is a toy"})
    assert copy.verdict == "accepted"
    assert copy.message.startswith("accepted: it is a toy. alone it has a ROC AUC of 1")
