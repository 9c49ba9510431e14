"""How far the rates of two groups lie apart."""

import pytest

from sparkml_ops.config.gates import FairnessGate
from sparkml_ops.models import GroupCounts
from sparkml_ops.promotion.fairness import judge_fairness

GROUPS = [
    GroupCounts("town", "Ulm", 1000, 300, 200, 150),
    GroupCounts("town", "Bonn", 800, 200, 100, 70),
    GroupCounts("town", "Kiel", 40, 40, 20, 20),
    GroupCounts("town", None, 600, 132, 90, 63),
]


def gate(**settings: object) -> FairnessGate:
    return FairnessGate.model_validate({"by": ["town"], "minimum_rows": 90, **settings})


def test_the_widest_gap_is_judged_and_both_groups_are_named() -> None:
    found = judge_fairness(GROUPS, gate(maximum_gap=0.05), threshold=0.3)
    assert (found.verdict, found.figure) == ("failed", pytest.approx(0.08))
    assert found.reason.startswith(
        "the share of rows that are taken for positive (from 0.3 on) is 0.3000 where town=Ulm (1,000 rows) and 0.2200 where town is missing (600): "
        "a gap of 0.0800 [0.0363, 0.1237]; at most 0.05 is allowed, and it is 0.03 more, which may be chance; if the difference stays as it is, "
        "about 3,400 such rows would show it"
    )
    assert found.reason.endswith("1 of 4 groups of town have fewer than 90 rows and were left out: town=Kiel (40)")
    assert judge_fairness(GROUPS, gate(maximum_gap=0.08001), threshold=0.3).verdict == "passed"


def test_equal_opportunity_looks_at_rows_with_label_1_alone() -> None:
    found = judge_fairness(GROUPS, gate(measure="equal_opportunity", maximum_gap=0.1), threshold=0.5)
    assert (found.verdict, found.figure) == ("passed", pytest.approx(0.75 - 0.7))
    assert "0.7500 where town=Ulm (200 rows with label 1) and 0.7000" in found.reason


def test_one_group_with_enough_rows_is_no_comparison() -> None:
    found = judge_fairness(GROUPS, gate(minimum_rows=900), threshold=0.5)
    assert (found.verdict, found.figure) == ("failed", None)
    assert found.reason == (
        "cannot be decided: fewer than two groups of town have 900 rows; the second largest, town=Bonn, has 800: "
        "at this share it takes about 2,800 judged rows"
    )


def test_a_column_that_cannot_be_decided_fails_though_another_passes() -> None:
    found = judge_fairness(GROUPS, gate(by=["town", "sex"], maximum_gap=0.5), threshold=0.5)
    assert (found.verdict, found.figure) == ("failed", pytest.approx(0.08))
    assert "cannot be decided: sex has 0 groups in the judged rows" in found.reason


def test_values_of_personal_data_are_not_told() -> None:
    found = judge_fairness(GROUPS, gate(maximum_gap=0.01), threshold=0.5, personal={"town"})
    assert "0.3000 in one group of town (1,000 rows) and 0.2200 in another of town (600)" in found.reason
    few = judge_fairness(GROUPS, gate(minimum_rows=900), threshold=0.5, personal={"town"})
    assert not [name for name in ("Ulm", "Bonn", "Kiel") if name in found.reason + few.reason]


def test_a_gap_of_certain_rates_is_beyond_chance() -> None:
    certain = [GroupCounts("town", "Ulm", 100, 100, 50, 50), GroupCounts("town", "Bonn", 100, 0, 50, 0)]
    found = judge_fairness(certain, gate(), threshold=0.5)
    assert (found.verdict, found.figure) == ("failed", 1.0)
    assert "chance" not in found.reason
