"""The page is well formed, loads nothing, and shows whatever users write as text."""

import json
import re
from dataclasses import replace

from reporting_facts import HOSTILE, make_facts, make_model, make_monitoring, parse_page

from sparkml_ops.lake import Metric
from sparkml_ops.reporting.facts import Facts, ModelCard
from sparkml_ops.reporting.insight import ColumnImportance, DependencePoint, DiagnosisFacts, FindingFacts
from sparkml_ops.reporting.page import render_html, render_json
from sparkml_ops.reporting.verdicts import judge_stages

EMPTY_PART = ("sources", "violations", "decisions", "slices", "newest_steps", "recent_steps", "tables")

GROUPS = tuple(DependencePoint("level", HOSTILE, 9, None, at / 4 - 0.5) for at in range(4))
IMPORTANCE = (ColumnImportance(HOSTILE, 1.0, groups=GROUPS), ColumnImportance("hour", 0.5))
DIAGNOSIS = DiagnosisFacts((FindingFacts("few_days", "attention", HOSTILE, HOSTILE),), HOSTILE)


def render(facts: Facts) -> str:
    return render_html(facts, judge_stages(facts))


def test_page_is_well_formed_and_has_every_plot() -> None:
    page = parse_page(render(make_facts()))
    plots = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    ids = [attrs["id"] for _, attrs in page.tags if "id" in attrs]
    assert len(plots) == 9
    assert len(ids) == len(set(ids))
    assert all(name in ids for attrs in plots for name in str(attrs["aria-labelledby"]).split())


def test_page_loads_nothing_and_runs_nothing() -> None:
    html = render(make_facts())
    page = parse_page(html)
    policy = next(attrs for _, attrs in page.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'"
    assert not {"script", "link", "img", "iframe", "object"} & {tag for tag, _ in page.tags}
    assert not re.search(r"https?://|url\(|@import", html)
    links = {str(attrs["href"]) for _, attrs in page.tags if "href" in attrs}
    assert {link for link in links if not link.startswith("#")} == {
        "features.html",
        "experiments.html",
    }  # the pages beside it
    assert len(html) < 1_000_000


def test_what_users_write_is_shown_as_text() -> None:
    card = ModelCard(
        2,
        training_set=HOSTILE,
        estimator=HOSTILE,
        params={HOSTILE: HOSTILE},
        weights=((HOSTILE, 1.0),),
        importance=IMPORTANCE,
        diagnosis=DIAGNOSIS,
    )
    drift = (Metric("drift", HOSTILE, "psi", 0.9, threshold=0.2, verdict="alert", details=HOSTILE),)
    facts = make_facts(HOSTILE, model=make_model(card=card), monitoring=make_monitoring(drift=drift))
    page = parse_page(render(facts))
    assert "script" not in {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on")]
    assert page.text.count("<script>alert") > 10


def test_importance_of_a_version_takes_the_place_of_its_weights() -> None:
    card = ModelCard(2, weights=(("a", 1.0),), importance=IMPORTANCE, importance_method="shap", importance_rows=20000)
    text = parse_page(render(make_facts(model=make_model(card=card)))).text
    assert "over 20,000 test rows: exact Shapley values" in text
    assert "which way it moves the answer" in text
    assert "Share of the gain in all splits" not in text


def test_the_diagnosis_is_told_in_words() -> None:
    found = FindingFacts("few_days", "attention", "few days to learn from", "take a longer time")
    card = ModelCard(2, diagnosis=DiagnosisFacts((found,), "roc_auc by part: train 0.9."))
    text = parse_page(render(make_facts(model=make_model(card=card)))).text
    assert "▲ alert few days to learn from take a longer time roc_auc by part: train 0.9." in text
    sound = replace(card, diagnosis=DiagnosisFacts((), ""))
    assert "Nothing was found" in parse_page(render(make_facts(model=make_model(card=sound)))).text


def test_states_are_told_by_word_and_sign_too() -> None:
    facts = make_facts(
        monitoring=make_monitoring(drift=(Metric("drift", "hour", "psi", 0.9, threshold=0.2, verdict="alert"),))
    )
    text = parse_page(render(facts)).text
    assert "ATTENTION" in text
    assert "▲ 0.900" in text
    assert "✓ passed" in text


def test_page_without_anything_says_so() -> None:
    facts = make_facts()
    nothing = Facts(facts.use_case, "", "", "local", facts.written_at, None)
    text = parse_page(render(nothing)).text
    assert "Nothing has run yet." in text
    assert "No model was trained yet." in text
    assert "OK" not in text.split()
    assert "sparkml-ops run shop" in text


def test_missing_parts_of_a_model_are_told() -> None:
    facts = make_facts(model=make_model(card=None, figures=(), note="the registry does not answer"))
    text = parse_page(render(facts)).text
    assert "Not recorded: the registry does not answer" in text
    assert "Its ROC AUC is not recorded." in text


def test_json_has_the_figures_of_the_page() -> None:
    facts = make_facts()
    found = json.loads(render_json(facts, judge_stages(facts)))
    assert found["schema_version"] == 1
    assert found["status"] == "ok"
    assert [verdict["stage"] for verdict in found["verdicts"]][:2] == ["ingestion", "training_set"]
    (table,) = found["facts"]["tables"]
    assert (table["table"], table["version"], table["rows"]) == ("clean_orders", 3, 1234567)
    assert table["freshness"] == {"of": "ordered_at", "age_seconds": 7200.0, "within_seconds": 172_800.0}
    assert found["facts"]["model"]["figures"][0]["value"] == 0.78
    assert found["facts"]["written_at"] == "2024-03-01T06:30:00+00:00"
    assert "1,234,567" in parse_page(render(facts)).text
    sentences = [verdict["sentence"] for verdict in found["verdicts"]]
    text = parse_page(render(facts)).text
    assert all(sentence in text for sentence in sentences)


def test_figures_that_are_no_numbers_are_null_in_json() -> None:
    facts = make_facts(
        model=make_model(figures=(Metric("evaluation", "candidate", "roc_auc", float("nan"), model_version=2),))
    )
    found = json.loads(render_json(facts, judge_stages(facts)))
    assert found["facts"]["model"]["figures"][0]["value"] is None


def test_each_part_may_be_missing() -> None:
    facts = make_facts()
    for name in EMPTY_PART:
        assert parse_page(render(replace(facts, **{name: ()}))).text
    assert "No training set was made yet." in parse_page(render(replace(facts, training_set=None))).text
