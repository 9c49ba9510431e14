"""Verdicts on what was scored and published, and on what was seen of it since. Pure."""

from sparkml_ops.models import ANSWERS
from sparkml_ops.reporting.advice import SHOWN, Advice, StageVerdict, enumerate_names, make_command
from sparkml_ops.reporting.facts import CHAMPION, BatchFacts, Facts
from sparkml_ops.reporting.figures import METRIC_NAMES
from sparkml_ops.reporting.formats import format_figure, format_interval, format_number_of, format_share


def judge_scoring(facts: Facts) -> StageVerdict:
    """Whether the last batch was published, by the champion of today."""
    last, published, champion = facts.scoring.last, facts.scoring.published, facts.model.champion
    if last is None:
        if champion is None:
            return StageVerdict("scoring", "no_data", "No batch was scored yet.")
        ask = Advice("Score and publish a batch.", make_command(facts, "score {}"))
        return StageVerdict("scoring", "no_data", "There is a champion, and no batch was scored yet.", (ask,))
    what = f"{format_number_of(last.rows, 'row')} by version {last.model_version}, {_tell_predicted(last)}"
    sentence = f"Batch {last.batch_id} is {last.status.replace('_', ' ')}: {what}."
    if last.status in ("held", "rolled_back"):
        return _judge_kept_back(facts, last, sentence)
    if last.status == "scored":
        ask = Advice("It was scored and never published: score again to publish it.", make_command(facts, "score {}"))
        return StageVerdict("scoring", "attention", sentence, (ask,))
    if champion is not None and published is not None and published.model_version != champion:
        sentence += f" Version {champion} is champion now."
        ask = Advice(f"Score with version {champion}.", make_command(facts, "score {}"))
        return StageVerdict("scoring", "attention", sentence, (ask,))
    return StageVerdict("scoring", "ok", sentence)


def _judge_kept_back(facts: Facts, last: BatchFacts, sentence: str) -> StageVerdict:
    failed = [check.name for check in last.checks if check.verdict == "failed"]
    if last.status == "held" and failed:
        sentence += f" Held by {enumerate_names(failed)}; consumers go on reading what was published before."
        text = "Read the checks below. If the batch is right, publish it, with the reason; if not, mend its data and score again. `scoring.hold_if` has the limits."
        ask = Advice(text, make_command(facts, f'batches publish {{}} {last.batch_id} --reason "…"'))
    else:
        sentence += f" {last.decided_by} said so: {last.reason}. Consumers read what was published before."
        ask = Advice("See what publishing it would change.", make_command(facts, f"batches diff {{}} {last.batch_id}"))
    return StageVerdict("scoring", "attention", sentence, (ask,))


def _tell_predicted(batch: BatchFacts) -> str:
    if batch.positives is None:
        return f"{format_figure(batch.mean_prediction)} predicted on average"
    return f"{format_share(batch.positives / batch.rows if batch.rows else None)} predicted positive"


def judge_monitoring(facts: Facts) -> StageVerdict:
    """Whether the published batch was looked at, and nothing in it is past a limit."""
    seen, published = facts.monitoring, facts.scoring.published
    look = Advice("Look at the published batch.", make_command(facts, "monitor {}"))
    if seen.measured_at is None:
        if published is None:
            return StageVerdict("monitoring", "no_data", "No batch was looked at yet.")
        return StageVerdict(
            "monitoring", "no_data", f"Batch {published.batch_id} is published and was not looked at yet.", (look,)
        )
    drifted = [figure for figure in seen.alarming if figure.scope == "drift"]
    measured = [figure for figure in seen.drift if figure.value is not None]
    sentence = f"Batch {seen.batch_id}: {_tell_drift(len(drifted), len(measured))}{_tell_performance(facts)}"
    advice = []
    if drifted:
        features = [figure.subject for figure in drifted if figure.subject not in ANSWERS]
        worst = enumerate_names(features[:SHOWN]) or "what the model is given"
        text = f"Find out whether {worst} changed in the world or at the source. If in the world, train on newer rows."
        advice.append(Advice(text, make_command(facts, "run {} --from dataset")))
    late = [figure for figure in seen.alarming if figure.scope == "performance" and figure.value is not None]
    if _find_switch(facts):
        text = "Publish a batch by a version of the task that is asked for now."
        advice.append(Advice(text, make_command(facts, "run {} --from dataset")))
    if late:
        named = enumerate_names([figure.name for figure in late])
        advice.append(
            Advice(f"{named} is past its limit: train on newer rows.", make_command(facts, "run {} --from dataset"))
        )
    if seen.freshness is not None and seen.freshness.verdict == "alert":
        sentence += f" The newest publication is {format_figure(seen.freshness.value)} hours old."
        advice.append(Advice("Score the newest rows.", make_command(facts, "run {}")))
    if published is not None and (published.batch_id, published.model_version) != (seen.batch_id, seen.model_version):
        sentence += f" Batch {published.batch_id} was published since."
        advice.append(look)
    return StageVerdict("monitoring", "attention" if advice else "ok", sentence, tuple(advice))


def _tell_drift(drifted: int, measured: int) -> str:
    if not measured:
        return "drift could not be measured."
    if not drifted:
        return f"none of {format_number_of(measured, 'distribution')} drifted."
    return f"{drifted} of {format_number_of(measured, 'distribution')} drifted."


def _find_switch(facts: Facts) -> str | None:
    """Why the batch is no answer to the labels, where it was scored for another task; told by an alert without a value."""
    alarming = (one for one in facts.monitoring.alarming if one.scope == "performance" and one.value is None)
    return next((one.details for one in alarming if one.details), None)


def _tell_performance(facts: Facts) -> str:
    found = next(
        (
            f
            for f in facts.monitoring.performance
            if f.subject == CHAMPION and f.name == facts.headline and f.value is not None
        ),
        None,
    )
    if found is None:
        return (
            f" Its labels cannot be used: {_find_switch(facts)}"
            if _find_switch(facts)
            else " Its labels are not known yet."
        )
    limit = "" if found.threshold is None else f" (limit {format_figure(found.threshold)})"
    return f" {METRIC_NAMES[facts.headline]} {format_interval(found.value, found.lower, found.upper)}{limit} on its labels."
