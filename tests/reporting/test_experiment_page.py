"""The page of experiments is well formed, loads nothing, shows whatever users write as text, and ranks parameters by what the trials tell."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from reporting_facts import HOSTILE, parse_page

from sparkml_ops.config.search import Search
from sparkml_ops.models import RecordedFigure, RecordedTraining, order_trainings
from sparkml_ops.reporting.experiment_page import plot_importance, render_experiments_html, render_experiments_json
from sparkml_ops.reporting.parameter_axes import ParameterAxis, list_axes
from sparkml_ops.reporting.parameter_importance import count_needed, find_importance
from sparkml_ops.reporting.search_plots import MAX_LINES, find_best_so_far
from sparkml_ops.reporting.searched import ExperimentFacts, TriedParams, list_log_params

AT = datetime(2024, 3, 1, 6, 30, tzinfo=UTC)


def make_trials(count: int, *, noise: float = 0.01, strength: float = 1.0) -> tuple[TriedParams, ...]:
    """The figure depends on `rate` by its logarithm, a little on `kind`, and not at all on `idle`."""
    random = np.random.default_rng(0)
    made = []
    for number in range(count):
        params: dict[str, Any] = {"rate": float(10 ** random.uniform(-3, 0)), "kind": str(random.choice(["a", "b"]))}
        params |= {"idle": int(random.integers(1, 100)), "fixed": 7}
        if params["kind"] == "b":
            params["drop"] = float(random.random())
        gain = strength * (np.log10(params["rate"]) / 3 + 0.2 * (params["kind"] == "a"))
        made.append(TriedParams(number, params, float(gain + random.normal(0, noise))))
    return tuple(made)


def make_trainings(text: str = "lightgbm") -> tuple[RecordedTraining, ...]:
    made = [
        RecordedTraining(
            version, "2024-03-01T06:30:00+00:00", text, content_hash=content, estimator=text, trials=20, failed=1, metric="roc_auc",
            figures={"roc_auc": RecordedFigure(value, value - 0.01, value + 0.01)}, aliases=(text,), config_hash="0123456789abcdef",
        )
        for version, content, value in ((1, "old", 0.9), (2, "c", 0.8), (3, "c", 0.7))
    ]  # fmt: skip
    return tuple(order_trainings(made))


def make_facts(trials: tuple[TriedParams, ...] = (), **changes: Any) -> ExperimentFacts:
    facts = ExperimentFacts("shop", "", "local", AT, make_trainings(), trials, "roc_auc", "ts-1", frozenset({"rate"}))
    return replace(facts, **changes)


def test_the_page_has_its_plots_and_the_table_and_loads_nothing() -> None:
    html = render_experiments_html(make_facts((*make_trials(40), TriedParams(40, {}, None, "ValueError: no"))))
    page = parse_page(html)
    plots = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    ids = [str(attrs["id"]) for _, attrs in page.tags if "id" in attrs]
    assert (len(plots), len(ids)) == (3, len(set(ids)))
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://|url\(|@import", html)
    for told in ("41 trials", "1 failed", "rate (log)", "0.800 [0.790, 0.810]", "judged on other rows than version 3"):
        assert told in page.text, told
    assert "trial 40 failed: ValueError: no" in page.text


def test_what_users_write_is_shown_as_text() -> None:
    trials = tuple(TriedParams(n, {HOSTILE: f"{HOSTILE}{n}"}, n / 10, HOSTILE) for n in range(3))
    failed = TriedParams(3, {}, None, HOSTILE)
    facts = make_facts((*trials, failed), description=HOSTILE, trainings=make_trainings(HOSTILE), training_set=HOSTILE)
    tags = {tag for tag, _ in parse_page(render_experiments_html(facts)).tags}
    assert not {"script", "b"} & tags


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_few_trials_it_says_why_plots_are_missing(count: int) -> None:
    text = parse_page(render_experiments_html(make_facts(make_trials(count), trainings=(), note="out of reach"))).text
    assert "out of reach" in text
    assert ("No trial is recorded" in text) == (count == 0)
    assert ("There are no two trials" in text) == (count < 2)
    assert ("Too few trials" in text) == (count == 2)


def test_the_same_is_there_for_machines() -> None:
    found = json.loads(
        render_experiments_json(make_facts((*make_trials(40), TriedParams(40, {"rate": float("inf")}, None))))
    )
    assert [one["version"] for one in found["facts"]["trainings"]] == [2, 3, 1]
    assert "recipe" not in found["facts"]["trainings"][0]
    assert found["facts"]["trials"][-1] == {"number": 40, "params": {"rate": None}, "figure": None, "cause": None}


def test_many_trials_are_thinned_out() -> None:
    html = render_experiments_html(make_facts(make_trials(MAX_LINES + 50)))
    assert html.count('class="trial q') + html.count('class="trial best"') == MAX_LINES + 6  # six are the legend's
    assert f"{MAX_LINES} lines of 350" in html


def test_the_best_so_far_never_gets_worse() -> None:
    trials = [TriedParams(n, {}, figure) for n, figure in enumerate((None, 0.3, 0.5, None, 0.4))]
    assert find_best_so_far(trials, is_higher_better=True) == [None, 0.3, 0.5, 0.5, 0.5]
    assert find_best_so_far(trials, is_higher_better=False) == [None, 0.3, 0.3, 0.3, 0.3]


def test_axes_are_the_parameters_that_were_varied() -> None:
    trials = [
        TriedParams(0, {"rate": 0.001, "kind": "a", "fixed": 7, "flag": True, "mixed": 1, "only": 3}, 0.1),
        TriedParams(1, {"rate": 0.1, "kind": "b", "fixed": 7, "flag": False, "mixed": "auto"}, 0.2),
    ]
    axes = {axis.name: axis for axis in list_axes(trials, log_params={"rate", "kind"})}
    assert list(axes) == ["flag", "kind", "mixed", "only", "rate"]
    assert axes["rate"].find_place({"rate": 0.01}) == pytest.approx(0.5)
    assert [text for _, text in axes["rate"].list_marks()] == ["0.001", "0.002", "0.005", "0.01", "0.02", "0.05", "0.1"]
    assert axes["kind"].list_marks() == [(0.0, "a"), (1.0, "b")]
    assert axes["mixed"].levels == ("1", "auto")
    assert axes["only"].find_place({}) is None
    assert ParameterAxis("leaves", low=0, high=10).find_place({"leaves": 4}) == pytest.approx(0.4)
    many = [TriedParams(n, {"word": f"w{n}"}, 0.1) for n in range(20)]
    assert list_axes(many, log_params=()) == []


def test_a_parameter_that_matters_comes_first_and_one_that_does_not_last() -> None:
    trials = make_trials(60)
    axes = list_axes(trials, log_params={"rate"})
    found = find_importance(trials, axes)
    assert found is not None
    shares = dict(found.shares)
    assert next(iter(shares)) == "rate"
    assert shares["rate"] > 0.6
    assert shares["idle"] < 0.05
    assert sum(shares.values()) == pytest.approx(1)
    assert found.explained > 0.7
    assert find_importance(trials, axes) == found


def test_chance_is_told_to_be_chance_and_few_or_equal_trials_to_be_too_few() -> None:
    trials = make_trials(40, strength=0)
    axes = list_axes(trials, log_params=())
    found = find_importance(trials, axes)
    assert found is not None
    assert found.explained < 0.1
    assert "do not tell which parameters matter" in plot_importance(found, axes).note
    assert count_needed(axes) == 16
    assert find_importance(trials[:15], axes) is None
    assert find_importance([replace(trial, figure=0.5) for trial in trials], axes) is None
    assert "16 that ended well are needed" in plot_importance(None, axes).note


def test_logarithmic_parameters_are_found_within_choices_too() -> None:
    space = {
        "rate": {"loguniform": [0.01, 0.3]},
        "leaves": {"quniform": [8, 64, 1]},
        "boosting": {"choice": ["gbdt", {"boosting": "dart", "drop": {"lognormal": [0.1, 1]}, "skip": 0.5}]},
    }
    assert set(list_log_params(Search.model_validate({"space": space}, strict=False).space)) == {"rate", "drop"}
