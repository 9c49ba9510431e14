"""Facts -> a verdict in one sentence for each stage, and what to do next. Pure."""

from collections.abc import Iterator, Sequence

from sparkml_ops.reporting.advice import LONGEST, Advice, StageVerdict, Status, enumerate_names, make_command
from sparkml_ops.reporting.facts import Facts, StepFacts
from sparkml_ops.reporting.formats import format_instant, format_number_of, shorten
from sparkml_ops.reporting.verdicts_learning import judge_ingestion, judge_model, judge_promotion, judge_training_set
from sparkml_ops.reporting.verdicts_serving import judge_monitoring, judge_scoring

_STEPS = {
    "ingestion": ("ingest",),
    "training_set": ("features", "dataset"),
    "model": ("train",),
    "promotion": ("promote", "approve", "rollback"),
    "scoring": ("score",),
    "monitoring": ("monitor",),
}


def judge_stages(facts: Facts) -> tuple[StageVerdict, ...]:
    """A verdict for each stage, in order; a stage whose newest run ended with an error says so first."""
    judges = (judge_ingestion, judge_training_set, judge_model, judge_promotion, judge_scoring, judge_monitoring)
    return tuple(_prefer_failure(facts, judge(facts)) for judge in judges)


def summarise(verdicts: Sequence[StageVerdict]) -> tuple[Status, str]:
    """The headline."""
    wrong = [verdict.stage.replace("_", " ") for verdict in verdicts if verdict.status == "attention"]
    silent = [verdict.stage.replace("_", " ") for verdict in verdicts if verdict.status == "no_data"]
    if wrong:
        return "attention", f"Look at {enumerate_names(wrong)}."
    if len(silent) == len(verdicts):
        return "no_data", "Nothing has run yet."
    if silent:
        return "no_data", f"Nothing is wrong in what has run; no data yet of {enumerate_names(silent)}."
    return "ok", "Everything that was looked at is in order."


def _prefer_failure(facts: Facts, verdict: StageVerdict) -> StageVerdict:
    failed = [step for step in _newest_of(facts, _STEPS[verdict.stage]) if step.error is not None]
    if not failed:
        return verdict
    step = failed[0]
    told = shorten((step.error or "").splitlines()[0] if step.error else "", LONGEST)
    others = f" ({format_number_of(len(failed) - 1, 'other step')} failed too)" if len(failed) > 1 else ""
    sentence = f"{step.step} ended with an error at {format_instant(step.ended_at)}{others}: {told}"
    again = Advice(
        f"Mend what stopped {step.step}, then run again: what is done is skipped.", make_command(facts, "run {}")
    )
    return StageVerdict(verdict.stage, "attention", sentence, (again,))


def _newest_of(facts: Facts, verbs: Sequence[str]) -> Iterator[StepFacts]:
    """The newest row of each of a stage's steps."""
    seen: set[str] = set()
    for step in sorted(facts.newest_steps, key=lambda s: s.ended_at, reverse=True):
        if step.step not in seen and step.step.split(":")[0] in verbs:
            yield step
        seen.add(step.step)
