"""Verdicts on what was taken in, learned and decided. Pure."""

from sparkml_ops.models import HIGHER_IS_BETTER, measure_gain
from sparkml_ops.reporting.advice import LONGEST, Advice, StageVerdict, enumerate_names, make_command
from sparkml_ops.reporting.facts import Facts, TrainingSetFacts
from sparkml_ops.reporting.figures import METRIC_NAMES
from sparkml_ops.reporting.formats import (
    format_count,
    format_figure,
    format_instant,
    format_interval,
    format_number_of,
    format_share,
    shorten,
)


def judge_ingestion(facts: Facts) -> StageVerdict:
    """Whether every source was taken in, and no row was lost."""
    taken = [source for source in facts.sources if source.batch_id is not None]
    missing = [source.source for source in facts.sources if source.batch_id is None]
    if not taken:
        start = Advice("Nothing was taken in yet: see what would run, then run it.", make_command(facts, "run {}"))
        return StageVerdict("ingestion", "no_data", "No source was taken in yet.", (start,))
    rows_in, clean, bad, aside = (
        sum(count or 0 for count in counts)
        for counts in zip(*((s.rows_in, s.rows_clean, s.rows_quarantined, s.rows_aside) for s in taken), strict=True)
    )
    balance = f"{format_count(rows_in)} rows in = {format_count(clean)} clean + {format_count(bad)} quarantined"
    balance += f" + {format_count(aside)} deleted or superseded" if aside else ""
    sentence = f"{balance}, in the last batch of each of {format_number_of(len(taken), 'source')}."
    advice = []
    unbalanced = [source.source for source in taken if not source.is_balanced]
    if unbalanced:
        sentence = f"Rows in are not rows clean + quarantined for {enumerate_names(unbalanced)}."
        advice.append(Advice("Take the source in again, in place of what is there.", _again(facts, unbalanced[0])))
    if missing:
        sentence += f" Not taken in yet: {enumerate_names(missing)}."
        advice.append(
            Advice(f"Take in {enumerate_names(missing)}.", make_command(facts, f"ingest {{}} --source {missing[0]}"))
        )
    return StageVerdict("ingestion", "attention" if advice else "ok", sentence, tuple(advice))


def _again(facts: Facts, source: str) -> str:
    return make_command(facts, f"ingest {{}} --source {source} --full")


def judge_training_set(facts: Facts) -> StageVerdict:
    """Whether there is something to learn from in every part."""
    found = facts.training_set
    if found is None:
        return StageVerdict("training_set", "no_data", "No training set was made yet.")
    rows, labels = sum(found.rows.values()), _tell_labels(found)
    parts = ", ".join(f"{format_count(count)} {part}" for part, count in found.rows.items())
    sentence = (
        f"{found.version}: {format_count(rows)} rows ({parts}), {labels}, {format_count(found.features)} features."
    )
    empty = [part for part, count in found.rows.items() if not count]
    if not empty and rows:
        return StageVerdict("training_set", "ok", sentence)
    why = Advice(
        "A part without rows: see what was left out below, and check `dataset.split`.",
        make_command(facts, "dataset {}"),
    )
    return StageVerdict("training_set", "attention", sentence, (why,))


def _tell_labels(found: TrainingSetFacts) -> str:
    """The share of positives, or of a regression the mean label of the part train, or how many classes it has."""
    if found.labels:
        train = found.labels.get("train", {})
        if "mean" not in train:
            return f"{len(train)} classes"
        return f"labels of {format_figure(train.get('mean'))} ± {format_figure(train.get('stddev'))}"
    rows, positives = sum(found.rows.values()), sum(found.positives.values())
    return f"{format_share(positives / rows if rows else None)} positive"


def judge_model(facts: Facts) -> StageVerdict:
    """Whether the model is better than the baselines, and the registry agrees with the decisions."""
    model = facts.model
    if model.shown is None:
        return StageVerdict("model", "no_data", "No model was trained yet.")
    role = "is champion" if model.champion is not None else "is trained; there is no champion yet"
    metric, name = facts.headline, METRIC_NAMES[facts.headline]
    own = model.find_figure("candidate", metric)
    if own is None or own.value is None:
        return StageVerdict("model", "no_data", f"Version {model.shown} {role}. Its {name} is not recorded.")
    linear, trivial = (_find_baseline(facts, who) for who in ("linear", "trivial"))
    figure = format_interval(own.value, own.lower, own.upper)
    against = f"linear {format_figure(linear)}, trivial {format_figure(trivial)}"
    sentence = f"Version {model.shown} {role}. {name} {figure} on rows it never saw; {against}."
    advice = []
    # Against the trivial model the whole interval counts; two learned models on the same rows vary together.
    worse = own.lower if metric in HIGHER_IS_BETTER else own.upper
    worst = own.value if worse is None else worse
    weak = ["linear"] if linear is not None and measure_gain(metric, own.value, linear) <= 0 else []
    weak += ["trivial"] if trivial is not None and measure_gain(metric, worst, trivial) <= 0 else []
    if weak:
        sentence += f" It is not better than the {enumerate_names(weak)} model."
        text = "Give the model more to learn from, or a longer search, and run again."
        advice.append(Advice(text, make_command(facts, "run {}")))
    if model.card is not None and model.champion is not None and model.alias != model.champion:
        found = "none" if model.alias is None else f"version {model.alias}"
        sentence += f" The registry's champion is {found}, the last decision says version {model.champion}."
        advice.append(Advice("Bring the alias in line with the decision.", make_command(facts, "promote {}")))
    if model.champion is not None and model.note:
        sentence += " It cannot be loaded."
        advice.append(
            Advice("Restore the champion's files, or train and promote another version.", make_command(facts, "run {}"))
        )
    return StageVerdict("model", "attention" if advice else "ok", sentence, tuple(advice))


def _find_baseline(facts: Facts, name: str) -> float | None:
    found = facts.model.find_figure(name, facts.headline)
    return None if found is None else found.value


def judge_promotion(facts: Facts) -> StageVerdict:
    """What the gates said last, and whether a version waits for them."""
    newest = facts.model.newest
    if not facts.decisions:
        if newest is None:
            return StageVerdict("promotion", "no_data", "Nothing was decided yet.")
        ask = Advice("Ask the gates about it.", make_command(facts, "promote {}"))
        return StageVerdict(
            "promotion", "attention", f"Version {newest} is trained, and nothing was decided about it.", (ask,)
        )
    last = facts.decisions[0]
    failed = [gate.name for gate in last.gates if gate.verdict == "failed"]
    sentence = f"Version {last.to_version} was {last.decision.replace('_', ' ')} at {format_instant(last.decided_at)}: "
    sentence += f"{enumerate_names(failed)} failed." if failed else f"{shorten(last.reason.rstrip('.'), LONGEST)}."
    advice = []
    if last.decision == "refused":
        sentence += (
            f" Version {facts.model.champion} goes on serving."
            if facts.model.champion is not None
            else " Nothing serves."
        )
        advice.append(
            Advice(
                "Read the gates' reasons below, change the model or its data, and train again.",
                make_command(facts, "run {} --from train"),
            )
        )
    if last.decision == "awaiting_approval":
        command = f"promote {{}} --version {last.to_version} --approve --by NAME --reason WHY"
        advice.append(Advice("Read what the gates said below, and approve the version.", make_command(facts, command)))
    if newest is not None and newest > max(decision.to_version for decision in facts.decisions):
        sentence += f" Version {newest} is trained, and nothing was decided about it."
        advice.append(Advice(f"Ask the gates about version {newest}.", make_command(facts, "promote {}")))
    return StageVerdict("promotion", "attention" if advice else "ok", sentence, tuple(advice))
