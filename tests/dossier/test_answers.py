"""When an answer counts as the recorded one: numbers but for rounding, of several classes all of them, by the same segment's model."""

from datetime import UTC, datetime
from typing import Any

import pytest

from sparkml_ops.dossier.answer import compare_answers
from sparkml_ops.dossier.facts import ScoredRow

AT = datetime(2024, 3, 1, tzinfo=UTC)


def make_row(
    prediction: float, *, segment: str | None = None, probabilities: dict[str, float] | None = None
) -> ScoredRow:
    return ScoredRow(
        entity={"customer": "ann"}, as_of=AT, prediction=prediction, predicted_class=None, predicted_label=None,
        probabilities=probabilities, reasons=None, segment=segment, model_name="shop", model_version=1, role="champion",
        batch_id="b", run_id="r", feature_versions={}, scored_at=AT, status="published",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("recorded", "said", "is_equal"),
    [(0.5, 0.5, True), (0.5, 0.5 + 1e-12, True), (0.5, 0.5001, False), (1e6, 1e6 + 1e-5, True), (1e6, 1e6 + 1, False)],
)
def test_a_number_is_equal_but_for_rounding(recorded: float, said: float, *, is_equal: bool) -> None:
    found = compare_answers(make_row(recorded), said, None)
    assert (found.is_equal, found.prediction) == (is_equal, said)
    assert found.difference == pytest.approx(said - recorded)


@pytest.mark.parametrize(
    ("said", "is_equal"),
    [
        ([("plum", 0.6), ("fig", 0.4)], True),
        ([("plum", 0.6), ("fig", 0.3), ("kiwi", 0.1)], False),
        ([("fig", 0.6), ("plum", 0.4)], False),
    ],
)
def test_of_several_classes_every_probability_counts(said: Any, *, is_equal: bool) -> None:
    found = compare_answers(make_row(0.6, probabilities={"plum": 0.6, "fig": 0.4}), said, None)
    assert (found.is_equal, found.prediction) == (is_equal, 0.6)


def test_another_segment_is_another_answer() -> None:
    found = compare_answers(make_row(0.5, segment="town=Ulm"), 0.5, "global")
    assert (found.is_equal, found.difference) == (False, 0)
    assert found.note == "served by global, and recorded is town=Ulm"
