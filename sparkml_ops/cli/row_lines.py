"""The explanation of a row as lines, to be read from top to bottom."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.cli.output import format_table, format_value, to_plain

if TYPE_CHECKING:
    from sparkml_ops.dossier import RowExplanation
    from sparkml_ops.dossier.facts import Decision, LookedUpView, Origin, ScoredRow

_HASH = 12  # characters of a hash that are enough to hold two against each other


def describe_row(found: "RowExplanation") -> list[str]:
    """All sections, the card last, since it is long."""
    sections = {
        "Prediction": _tell_prediction(found),
        "Model": _tell_model(found),
        "Who let it serve, and on what evidence": _tell_decisions(found),
        "Training set": _tell_training_set(found.training_set),
        "The row that was asked about": _tell_origins(found.request),
        f"Features as they were used, by {found.definition}": _tell_views(found),
        "The same model, asked again": _tell_answer(found),
        "Not recorded, or not there any more": (f"- {one}" for one in found.missing or ("nothing",)),
        "Card of the model": (found.model.card or "its files are gone").rstrip("\n").splitlines(),
    }
    lines: list[str] = []
    for title, section in sections.items():
        lines += ["", title, "=" * len(title), *section]
    return lines[1:]


def _tell_prediction(found: "RowExplanation") -> list[str]:
    row, batch = found.row, found.batch or {}
    told = {
        "entity": ", ".join(f"{name}={_tell(value)}" for name, value in row.entity.items()),
        "as of": row.as_of,
        "prediction": _tell_answered(row),
        "reasons": _tell_reasons(row),
        "segment": row.segment,
        "batch": f"{row.batch_id} ({_tell_status(row.status, batch.get('published_at'))})",
        "checks": "; ".join(f"{one['check']} {one['verdict']}: {one['reason']}" for one in batch.get("checks") or ()),
        "scored": f"{_tell(row.scored_at)} as {row.role}, in run {row.run_id}{_tell_run(found.run)}",
        "read today": _tell_current(found),
        "beside": "; ".join(f"{one.role} version {one.model_version}: {_tell_answered(one)}" for one in found.beside),
    }
    return _list_pairs(told)


def _tell_status(status: str | None, published_at: datetime | None) -> str:
    known = status or "no record"
    if published_at is None:
        return known
    return f"{'' if known == 'published' else f'{known}, '}published {_tell(published_at)}"


def _tell_answered(row: "ScoredRow") -> str:
    parts = [_tell(row.prediction)]
    if row.predicted_class is not None:
        parts.append(f"class {row.predicted_class}")
    if row.predicted_label is not None:
        parts.append(f"label {row.predicted_label}")
    shares = (row.probabilities or {}).items()
    return ", ".join([*parts, *(f"{name} {_tell(share)}" for name, share in shares)])


def _tell_reasons(row: "ScoredRow") -> str:
    if row.reasons is None:
        return "none were recorded (scoring.explain)"
    return ", ".join(f"{one['feature']} {one['contribution']:+.4f}" for one in row.reasons)


def _tell_run(run: Mapping[str, Any] | None) -> str:
    if run is None:
        return ""
    return f" by {run['user']}, code {run['code_version']}, configuration {run['config_hash']}"


def _tell_current(found: "RowExplanation") -> str:
    now, row = found.current, found.row
    if now is None:
        return "nothing: predictions_current has no such decision"
    if (now["batch_id"], now["model_version"], now["scored_at"]) == (row.batch_id, row.model_version, row.scored_at):
        return "this prediction"
    return f"another one: {_tell(now['prediction'])}, of version {now['model_version']} in batch {now['batch_id']}"


def _tell_model(found: "RowExplanation") -> list[str]:
    model, facts = found.model, found.model.facts
    figure = (facts.get("figures") or {}).get(facts.get("metric")) or {}
    aliases = f" (today: {', '.join(model.aliases)})" if model.aliases else " (no alias today)"
    told = {
        "version": f"{model.name} version {model.version}{aliases if model.is_there else ', which the registry has no more'}",
        "trained": facts.get("trained_at"),
        "estimator": facts.get("estimator"),
        "figure": f"{facts['metric']} {_tell_interval(figure)} on its test rows" if figure else None,
        "digest": str(facts.get("digest", ""))[:_HASH],
        "code": facts.get("code_version"),
        "config hash": facts.get("config_hash"),
    }
    return _list_pairs(told)


def _tell_interval(figure: Mapping[str, Any]) -> str:
    ends = [figure.get(end) for end in ("lower", "upper")]
    interval = "" if None in ends else f" [{format_value(ends[0])}, {format_value(ends[1])}]"
    return f"{format_value(figure.get('value'))}{interval}"


def _tell_decisions(found: "RowExplanation") -> Iterator[str]:
    known = found.decisions
    if known.serving is not None:
        yield f"{_tell_decision(known.serving)}"
    elif found.row.role != "champion":
        yield f"it was scored beside the champion, as {found.row.role}"
    if found.row.role == "champion" and known.champion_then != found.row.model_version:
        yield f"by promotions the champion was {_name(known.champion_then)} when the row was scored"
    if known.judged is not None:
        yield from _tell_evidence(known.judged)
    if known.history:
        yield ""
        yield f"Every decision about version {found.row.model_version}" + (
            f", but for {known.more} older ones:" if known.more else ":"
        )
        yield from format_table(
            ("when", "decision", "from", "to", "by", "reason"),
            [(d.decided_at, d.decision, d.from_version, d.to_version, d.decided_by, d.reason) for d in known.history],
        )


def _tell_decision(one: "Decision") -> str:
    return f"{_tell(one.decided_at)}: {one.decision} from {_name(one.from_version)} by {one.decided_by}, in run {one.run_id}: {one.reason}"


def _name(version: int | None) -> str:
    return "nothing" if version is None else f"version {version}"


def _tell_evidence(one: "Decision") -> Iterator[str]:
    yield f"The gates were asked on {_tell(one.decided_at)}, in run {one.run_id}:"
    columns = ("gate", "verdict", "figure", "threshold", "reason")
    yield from format_table(columns, [[gate[name] for name in columns] for gate in one.gates])
    for model, figures in ((name, found) for name, found in one.evidence.items() if found is not None):
        shown = figures.items() if isinstance(figures, Mapping) else ()
        told = [f"{name} {_tell_interval(_name_ends(figure))}" for name, figure in shown]
        yield f"evidence, {model}: {', '.join(told) or _tell(figures)}"


def _name_ends(figure: Any) -> Mapping[str, Any]:
    """A figure of the evidence is a value and the ends of its interval."""
    ends = figure if isinstance(figure, list) else [figure]
    return dict(zip(("value", "lower", "upper"), ends, strict=False))


def _tell_training_set(found: Mapping[str, Any] | None) -> list[str]:
    if found is None:
        return ["it is not recorded, or not there any more"]
    told = {
        "version": f"{found['version']}, {_join(found['rows'])} rows",
        "rows in": f"{found['table']}@v{found['table_version']}, content hash {found['content_hash'][:_HASH]}",
        "made": f"{_tell(found['created_at'])} in run {found['run_id']}, with labels mature by {_tell(found['as_of'])}",
        "made from": ", ".join(f"{table}@v{version}" for table, version in found["inputs"].items()),
    }
    return _list_pairs(told)


def _tell_views(found: "RowExplanation") -> Iterator[str]:
    for at, view in enumerate(found.views):
        yield from (["", *_tell_view(view)] if at else _tell_view(view))
    if found.derived:
        yield ""
        yield "computed over them"
        yield from _list_pairs(found.derived)


def _tell_view(view: "LookedUpView") -> Iterator[str]:
    version = "version not recorded" if view.version is None else f"@v{view.version}"
    times = f": row of {_tell(view.timestamp)}, known since {_tell(view.known_at)}" if view.timestamp else ""
    yield f"{view.table}{version}{times}{f': {view.note}' if view.note else ''}"
    yield from _list_pairs(view.values)
    yield from _tell_origins(view.origins, mark="made of ")


def _tell_origins(origins: Sequence["Origin"], mark: str = "") -> Iterator[str]:
    if not origins and not mark:
        yield "what it was read from is not recorded"
    for one in origins:
        where = f" where {one.matched_by}" if one.matched_by else ""
        rows = "" if one.rows is None else f": {one.rows} row{'s' * (one.rows != 1)}"
        yield f"  {mark}{one.table}@v{one.version}{where}{rows}{f': {one.note}' if one.note else ''}"
        for file in one.files:
            yield f"    {file.path or 'no file is recorded'} (batch {file.batch_id}): {file.rows} row{'s' * (file.rows != 1)}"
        if one.more_files:
            yield f"    and {one.more_files} more file{'s' * (one.more_files != 1)}"


def _tell_answer(found: "RowExplanation") -> list[str]:
    answer = found.answer
    if answer.is_equal is None:
        return [f"it could not be asked: {answer.note}"]
    if answer.is_equal:
        rounded = f", but for rounding ({answer.difference:+.1e})" if answer.difference else ""
        return [f"equal: these features give {_tell(answer.prediction)} again{rounded}"]
    told = (
        f"DIFFERENT: these features give {_tell(answer.prediction)}, {answer.difference:+.3g} against what is recorded"
    )
    return [told, *([answer.note] if answer.note else [])]


def _list_pairs(pairs: Mapping[str, Any]) -> list[str]:
    """Names and values in two columns; what has no text is left out, and None is a dash."""
    shown = {name: _tell(value) for name, value in pairs.items() if value != ""}
    width = max(map(len, shown), default=0)
    return [f"  {name.ljust(width)}  {value}" for name, value in shown.items()]


def _join(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{part} {rows}" for part, rows in counts.items())


def _tell(value: Any) -> str:
    """A value as it is: numbers with all their digits, texts in one line."""
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str) and not value.isprintable():
        return repr(value)  # what would break a line, or steer a terminal
    if isinstance(value, datetime):
        return f"{format_value(value)} UTC"
    return format_value(value) if value is None or isinstance(value, Mapping | list | tuple) else str(to_plain(value))
