"""When a segment's own model counts as better than its parent's."""

import numpy as np
import pytest

from sparkml_ops.training.segment_rule import choose_kept, find_losses, measure_gain


def measure(differences: np.ndarray, days: np.ndarray | None = None, **how: float) -> float:
    asked = {"minimum": 0.0, "confidence": 0.95} | how
    days = np.arange(len(differences)) if days is None else days
    return measure_gain(differences, days.astype(np.int32), **asked).p


def test_losses_are_those_of_scikit_learn() -> None:
    from sklearn.metrics import log_loss

    labels, answers = np.array([1.0, 0.0, 1.0]), np.array([0.9, 0.2, 0.4])
    assert find_losses(labels, answers).mean() == pytest.approx(log_loss(labels, answers))
    assert np.isfinite(find_losses(np.array([1.0, 0.0]), np.array([0.0, 1.0]))).all()


def test_by_rows_it_is_the_paired_t_test() -> None:
    from scipy import stats

    differences = np.random.default_rng(0).normal(0.1, 1, 60)
    expected = stats.ttest_1samp(differences, 0, alternative="greater")
    found = measure_gain(differences, np.zeros(60, dtype=np.int32), minimum=0, confidence=0.95)
    assert found.p == pytest.approx(expected.pvalue)
    assert found.lower == pytest.approx(expected.confidence_interval(0.95).low)


def test_rows_of_a_day_that_go_together_count_as_little_as_the_days_do() -> None:
    random = np.random.default_rng(1)
    by_day = np.repeat(random.normal(0.3, 1, 8), 50)
    differences = by_day + random.normal(0, 0.1, 400)
    assert measure(differences) < 0.001
    assert measure(differences, np.repeat(np.arange(8), 50)) > 0.02


def test_a_gain_must_be_above_the_minimum() -> None:
    differences = np.random.default_rng(2).normal(0.1, 0.1, 100)
    assert measure(differences) < 0.001
    assert measure(differences, minimum=0.15) > 0.9


def test_the_same_gain_in_each_row_is_certain() -> None:
    found = [measure(np.full(20, gain)) for gain in (0.1, 0.0, -0.1)]
    assert found == pytest.approx([0, 1, 1])


def test_of_a_thousand_segments_without_gain_next_to_none_is_kept() -> None:
    random = np.random.default_rng(3)
    chances = [measure(random.normal(0, 1, 40)) for _ in range(1000)]
    assert sum(chance <= 0.05 for chance in chances) > 30
    assert sum(choose_kept(chances, 0.05)) <= 1
    gaining = [measure(random.normal(1, 1, 40)) for _ in range(100)]
    kept = choose_kept([*chances, *gaining], 0.05)
    assert sum(kept[1000:]) > 95
    assert sum(kept[:1000]) <= 12


def test_no_segments_are_none() -> None:
    assert choose_kept([], 0.05) == []
    assert choose_kept([0.01, 1.0], 0.05) == [True, False]
