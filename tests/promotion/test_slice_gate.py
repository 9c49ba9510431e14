"""No slice may lose much, and those that are named must be there."""

from sparkml_ops.config.gates import SlicesGate
from sparkml_ops.models import NamedSlice, SliceResult
from sparkml_ops.promotion.slice_gate import judge_slices

SLICES = [
    SliceResult("origin", "JFK", 900, 0.8, 0.7, -0.1),
    SliceResult("origin", "LGA", 800, 0.7, 0.75, 0.05),
    SliceResult("origin", "XXX", 700, None, 0.75, None),
]


def demand(**must_have: list[str | int | float]) -> SlicesGate:
    return SlicesGate(by=["origin"], maximum_loss=0.1, must_have=must_have)


def test_a_gain_overall_cannot_hide_a_loss_on_a_slice() -> None:
    found = judge_slices(SLICES, SlicesGate(by=["origin"], maximum_loss=0.02))
    assert (found.verdict, found.figure) == ("failed", 0.05)
    assert "the worst: origin=LGA (800 rows) -0.0500" in found.reason


def test_where_no_slice_has_enough_rows_it_is_said_how_many_that_takes() -> None:
    gate = SlicesGate(by=["origin"])
    assert judge_slices([], gate).reason == "cannot be decided: no slice has 500 rows and both classes"
    largest = judge_slices([], gate, largest=NamedSlice("origin", "JFK", 120, 3000))
    assert largest.reason.endswith(
        "the largest, origin=JFK, has 120 of 3,000: at this share it takes about 13,000 judged rows"
    )


def test_a_named_slice_that_is_there_passes() -> None:
    named = [NamedSlice("origin", "JFK", 900, 2400)]
    found = judge_slices(SLICES, demand(origin=["JFK"]), named=named)
    assert (found.verdict, found.figure) == ("passed", 0.05)


def test_a_named_slice_that_is_missing_fails_though_the_others_pass() -> None:
    named = [NamedSlice("origin", "EWR", 0, 2400), NamedSlice("origin", "JFK", 900, 2400)]
    found = judge_slices(SLICES, demand(origin=["EWR", "JFK"]), named=named)
    assert (found.verdict, found.figure) == ("failed", 0.05)
    assert found.reason.startswith(
        "1 of 2 slices that must be there cannot be judged: origin=EWR is in none of the 2,400 judged rows; change of roc_auc"
    )


def test_a_named_slice_is_asked_for_without_a_champion_too() -> None:
    named = [NamedSlice("origin", "EWR", 100, 2400)]
    found = judge_slices(None, demand(origin=["EWR"]), named=named)
    assert (found.verdict, found.figure) == ("failed", None)
    assert found.reason == (
        "1 of 1 slices that must be there cannot be judged: origin=EWR has 100 of 2,400 judged rows, and 500 are asked for: "
        "at this share it takes about 12,000 judged rows"
    )
    there = judge_slices(None, demand(origin=["JFK"]), named=[NamedSlice("origin", "JFK", 900, 2400)])
    assert there.verdict == "unopposed"


def test_a_named_slice_of_one_class_or_beyond_the_largest_cannot_be_judged() -> None:
    named = [NamedSlice("origin", "XXX", 700, 2400), NamedSlice("origin", "SFO", 600, 2400)]
    found = judge_slices(SLICES, demand(origin=["XXX", "SFO"]), named=named)
    assert found.verdict == "failed"
    assert "origin=XXX has a single class in its 700 rows" in found.reason
    assert "origin=SFO is not among the 1,000 largest slices" in found.reason
