"""When a stage is in order, when it wants attention, and what it says to do."""

from dataclasses import replace
from datetime import timedelta

import pytest
from reporting_facts import (
    AT,
    make_batch,
    make_decision,
    make_facts,
    make_metric,
    make_model,
    make_monitoring,
    make_step,
)

from sparkml_ops.reporting.advice import StageVerdict, enumerate_names
from sparkml_ops.reporting.facts import CheckFacts, Facts, ModelFacts, MonitoringFacts, ScoringFacts, SourceFacts
from sparkml_ops.reporting.verdicts import judge_stages, summarise


def judge(facts: Facts, stage: str) -> StageVerdict:
    return next(verdict for verdict in judge_stages(facts) if verdict.stage == stage)


def test_everything_in_order() -> None:
    verdicts = judge_stages(make_facts())
    assert [verdict.status for verdict in verdicts] == ["ok"] * 6
    assert not [advice for verdict in verdicts for advice in verdict.advice]
    assert summarise(verdicts) == ("ok", "Everything that was looked at is in order.")


def test_nothing_ran() -> None:
    verdicts = judge_stages(Facts("shop", "", "", "local", AT, None, sources=(SourceFacts("orders"),)))
    assert {verdict.status for verdict in verdicts} == {"no_data"}
    assert summarise(verdicts)[0] == "no_data"
    assert verdicts[0].advice[0].command == "sparkml-ops run shop"


def test_rows_in_are_clean_and_quarantined() -> None:
    assert "1,000 rows in = 990 clean + 10 quarantined" in judge(make_facts(), "ingestion").sentence
    lost = SourceFacts("orders", "orders-1", AT, 2, 1000, 989, 10)
    verdict = judge(make_facts(sources=(lost,)), "ingestion")
    assert verdict.status == "attention"
    assert verdict.advice[0].command == "sparkml-ops ingest shop --source orders --full"


def test_a_source_that_never_came() -> None:
    facts = make_facts()
    verdict = judge(replace(facts, sources=(*facts.sources, SourceFacts("towns"))), "ingestion")
    assert verdict.status == "attention"
    assert "Not taken in yet: towns." in verdict.sentence


def test_commands_name_the_environment() -> None:
    verdict = judge(make_facts(sources=(SourceFacts("orders"),), environment="my cluster"), "ingestion")
    assert verdict.advice[0].command == "sparkml-ops --env 'my cluster' run shop"


def test_an_error_comes_first() -> None:
    steps = (make_step("score", error="ContractError: keys\nare doubled"), make_step("train"))
    verdict = judge(make_facts(newest_steps=steps), "scoring")
    assert verdict.status == "attention"
    assert verdict.sentence == "score ended with an error at 2024-03-01 06:30 UTC: ContractError: keys"


def test_an_error_that_was_mended_is_past() -> None:
    mended = make_step("score", at=AT + timedelta(hours=1))
    steps = (make_step("score", error="ContractError: keys"), mended)
    assert judge(make_facts(newest_steps=steps), "scoring").status == "ok"


@pytest.mark.parametrize(("value", "weak"), [(0.71, "linear"), (0.51, "linear and trivial")])
def test_a_model_no_better_than_a_baseline(value: float, weak: str) -> None:
    figures = tuple(
        make_metric("evaluation", who, "roc_auc", figure, lower=figure - 0.02, upper=figure + 0.02)
        for who, figure in (("candidate", value), ("linear", 0.72), ("trivial", 0.5))
    )
    verdict = judge(make_facts(model=make_model(figures=figures)), "model")
    assert verdict.status == "attention"
    assert f"not better than the {weak} model" in verdict.sentence


@pytest.mark.parametrize("alias", [None, 1])
def test_an_alias_that_did_not_follow_the_decision(alias: int | None) -> None:
    verdict = judge(make_facts(model=make_model(alias=alias)), "model")
    assert verdict.status == "attention"
    assert verdict.advice[0].command == "sparkml-ops promote shop"


def test_a_registry_that_was_not_reached_says_nothing_of_aliases() -> None:
    assert judge(make_facts(model=make_model(alias=None, card=None)), "model").status == "ok"


def test_a_refused_candidate() -> None:
    facts = make_facts(
        decisions=(make_decision("refused", 3, verdict="failed", name="slices"),), model=make_model(newest=3)
    )
    verdict = judge(facts, "promotion")
    assert verdict.status == "attention"
    assert "slices failed. Version 2 goes on serving." in verdict.sentence


def test_a_candidate_that_nobody_decided_about() -> None:
    verdict = judge(make_facts(model=make_model(newest=3)), "promotion")
    assert verdict.status == "attention"
    assert verdict.advice[0].text == "Ask the gates about version 3."
    only = judge(make_facts(decisions=(), model=ModelFacts(newest=1)), "promotion")
    assert only.status == "attention"


def test_a_held_batch() -> None:
    held = make_batch("2024-03", "held", 2, CheckFacts("rows_changed", "failed", 0.9, 0.5, "90 % fewer"))
    facts = make_facts(scoring=ScoringFacts((held, make_batch()), make_batch()))
    verdict = judge(facts, "scoring")
    assert verdict.status == "attention"
    assert "Held by rows_changed" in verdict.sentence
    assert "scoring.hold_if" in verdict.advice[0].text
    assert verdict.advice[0].command == 'sparkml-ops batches publish shop 2024-03 --reason "…"'


def test_a_batch_that_a_person_took_back() -> None:
    taken = replace(make_batch("2024-03", "rolled_back", 2), decided_by="ann", reason="the feed was doubled")
    verdict = judge(make_facts(scoring=ScoringFacts((taken, make_batch()), make_batch())), "scoring")
    assert verdict.status == "attention"
    assert "is rolled back" in verdict.sentence
    assert "ann said so: the feed was doubled." in verdict.sentence
    assert verdict.advice[0].command == "sparkml-ops batches diff shop 2024-03"


def test_a_batch_that_was_not_published() -> None:
    verdict = judge(make_facts(scoring=ScoringFacts((make_batch(status="scored"),))), "scoring")
    assert (verdict.status, verdict.advice[0].command) == ("attention", "sparkml-ops score shop")


def test_a_batch_of_an_earlier_champion() -> None:
    old = make_batch(version=1)
    verdict = judge(make_facts(scoring=ScoringFacts((old,), old)), "scoring")
    assert verdict.status == "attention"
    assert verdict.advice[0].text == "Score with version 2."


def test_drift_names_the_features() -> None:
    drift = tuple(
        make_metric("drift", name, "psi", 0.5, threshold=0.2, verdict="alert")
        for name in ("prediction", "amount", "town")
    )
    verdict = judge(make_facts(monitoring=make_monitoring(drift=drift)), "monitoring")
    assert verdict.status == "attention"
    assert "3 of 3 distributions drifted." in verdict.sentence
    assert verdict.advice[0].text.startswith("Find out whether amount and town changed")


def test_performance_and_freshness_past_their_limits() -> None:
    poor = make_metric("performance", "champion", "roc_auc", 0.6, threshold=0.7, verdict="alert")
    stale = make_metric("freshness", "predictions_current", "age_hours", 60.0, threshold=48.0, verdict="alert")
    verdict = judge(make_facts(monitoring=make_monitoring(performance=(poor,), freshness=stale)), "monitoring")
    assert [advice.command for advice in verdict.advice] == [
        "sparkml-ops run shop --from dataset",
        "sparkml-ops run shop",
    ]
    assert "60.0 hours old" in verdict.sentence


def test_a_batch_that_nobody_looked_at() -> None:
    unseen = judge(make_facts(monitoring=MonitoringFacts()), "monitoring")
    assert (unseen.status, unseen.advice[0].command) == ("no_data", "sparkml-ops monitor shop")
    since = judge(make_facts(monitoring=make_monitoring(batch_id="2024-01")), "monitoring")
    assert since.status == "attention"
    assert "Batch 2024-02 was published since." in since.sentence


def test_a_batch_of_another_task_is_told_with_what_makes_one_of_this() -> None:
    told = "the batch was scored for the task binary, and model.task is multiclass."
    switched = make_metric("performance", "labels", "task_switched", None, verdict="alert", details=told)
    verdict = judge(make_facts(monitoring=make_monitoring(performance=(switched,))), "monitoring")
    assert verdict.status == "attention"
    assert verdict.sentence.endswith(f"Its labels cannot be used: {told}")
    assert verdict.advice[-1].text == "Publish a batch by a version of the task that is asked for now."
    assert not any("past its limit" in one.text for one in verdict.advice)


def test_labels_that_are_not_known_yet() -> None:
    verdict = judge(make_facts(monitoring=make_monitoring(performance=())), "monitoring")
    assert verdict.status == "ok"
    assert "Its labels are not known yet." in verdict.sentence


def test_many_names_are_counted() -> None:
    assert enumerate_names(["a"]) == "a"
    assert enumerate_names(["a", "b"]) == "a and b"
    assert enumerate_names(list("abcdef")) == "a, b, c and 3 more"
