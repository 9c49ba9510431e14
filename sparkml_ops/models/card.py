"""The model card: what is recorded of a version, as Markdown (Mitchell et al. 2019, "Model cards for model reporting").

Pure. It tells what training has written into the package, and what the registry says; what neither has is "not recorded".
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sparkml_ops.models.card_beside import tell_champion, tell_kpis, tell_scoring, tell_slices
from sparkml_ops.models.card_classes import tell_confusion
from sparkml_ops.models.card_decisions import tell_diagnosis, tell_gain, tell_importance, tell_operating_point
from sparkml_ops.models.card_figures import tell_calibration, tell_figures, tell_known_limits
from sparkml_ops.models.card_segments import tell_segments
from sparkml_ops.models.encoder import EncodedColumn
from sparkml_ops.models.markdown import NONE, escape_paragraphs, escape_text, make_table, quote_cell, quote_code

if TYPE_CHECKING:
    from sparkml_ops.models.package import PackagedModel
    from sparkml_ops.models.registry import ModelVersion

_PREDICTS = {
    "binary": "the probability of ",
    "regression": "the number ",
    "multiclass": "a probability for each class of ",
}
NOT_STATED, NOT_RECORDED = "not stated", "not recorded"
PURPOSES = {"train": "fitted on", "valid": "tuned on, then fitted on", "test": "judged on"}


def write_card(version: "ModelVersion", model: "PackagedModel") -> str:
    """The card of a version, which is the same whenever it is written.

    Args:
        version: What the registry says.
        model: What was registered, with its metadata.
    """
    facts = model.metadata
    said = facts.get("use_case", {})
    has_classes = facts.get("task", "binary") == "binary"
    sections = {
        "": _tell_origin(version, facts),
        "Intended use": escape_paragraphs(said.get("intended_use", "")) or NOT_STATED,
        "Limits": f"{escape_paragraphs(said.get('limits', '')) or NOT_STATED}\n\n{tell_known_limits(facts)}",
        "Figures": tell_figures(facts) + tell_champion(facts),
        "Segments": tell_segments(facts),
        "Business figures": tell_kpis(facts),
        "Calibration": tell_calibration(facts),
        "Classes": tell_operating_point(facts) if has_classes else tell_confusion(facts),
        "Gain and lift": tell_gain(facts) if has_classes else "",
        "Slices": tell_slices(facts),
        "What it looks at": tell_importance(facts),
        "What was found about the training": tell_diagnosis(facts),
        "Rows": _tell_rows(facts),
        "Features": _tell_features(model),
        "Columns left out": _tell_left_out(facts),
        "How it was trained": _tell_training(model),
        "How to make it again": _tell_reproduction(version, facts),
        "Scoring": tell_scoring(facts),
        "Libraries": _tell_pairs(facts.get("libraries"), "library", "version"),
    }
    parts = [f"## {title}\n\n{text}" if title else text for title, text in sections.items() if text]
    return "\n\n".join([f"# {escape_text(version.name)}, version {version.version}", *parts]) + "\n"


def _tell_origin(version: "ModelVersion", facts: Mapping[str, Any]) -> str:
    said, task = facts.get("use_case", {}), facts.get("task", "binary")
    lines = {
        "Description": escape_text(said.get("description", "")) or NOT_STATED,
        "Owner": escape_text(said.get("owner", "")) or NOT_STATED,
        "Predicts": f"{_PREDICTS[task]}{quote_code(said['label'])}" if said.get("label") else NOT_RECORDED,
        "Trained": f"{_tell_instant(facts.get('trained_at'))}, by the code {_tell_code(version.code_version)}",
        "Registered": f"{version.created_at:%Y-%m-%d %H:%M:%S} UTC, from the MLflow run {_tell_code(version.run_id)}",
        "Configuration": _tell_code(version.config_hash),
        "Digest of the files": _tell_code(version.digest),
    }
    return "\n".join(f"- **{name}:** {text}" for name, text in lines.items())


def _tell_rows(facts: Mapping[str, Any]) -> str:
    rows = facts.get("training_set")
    if rows is None:
        return f"Training set {_tell_code(facts.get('training_set_version'))}; nothing more is recorded of it."
    periods, counts, positives = facts.get("period", {}), rows.get("rows", {}), rows.get("positives", {})
    labels = rows.get("labels", {})
    table = [
        [
            escape_text(part),
            escape_text(PURPOSES.get(part, NONE)),
            f"{count:,}",
            *_tell_labels(facts, labels.get(part, {}), rows=count, positives=positives.get(part, 0)),
            *(_tell_instant(at) for at in periods.get(part, [None, None])),
        ]
        for part, count in sorted(counts.items(), key=lambda pair: (*PURPOSES, pair[0]).index(pair[0]))
    ]
    head = (
        f"Training set {_tell_code(facts.get('training_set_version'))}, made {_tell_instant(rows.get('created_at'))}, with "
        f"the labels known at {_tell_instant(rows.get('labels_as_of'))}; table {_tell_code(rows.get('table'))}, Delta version "
        f"{rows.get('table_version', NOT_RECORDED)}, content {_tell_code(rows.get('content_hash'))}."
    )
    if not table:
        return head
    told = _LABEL_COLUMNS[facts.get("task", "binary")]
    columns = make_table(
        [("part", "left"), ("what for", "left"), ("rows", "right"), *((name, "right") for name in told), ("first", "left"), ("last", "left")],
        table,
    )  # fmt: skip
    return f"{head}\n\n{columns}"


_LABEL_COLUMNS = {
    "binary": ("positives", "share"),
    "regression": ("mean label", "standard deviation", "lowest", "highest"),
    "multiclass": ("classes", "of the rarest", "of the most frequent"),
}


def _tell_labels(facts: Mapping[str, Any], labels: Mapping[str, float], *, rows: int, positives: int) -> list[str]:
    """What is told of the labels of a part, by the columns of `_LABEL_COLUMNS`."""
    task = facts.get("task", "binary")
    if task == "regression":
        return [f"{labels[name]:.6g}" if name in labels else NONE for name in ("mean", "stddev", "lowest", "highest")]
    if task == "multiclass":
        ends = [f"{int(end(labels.values())):,} rows" if labels else NONE for end in (min, max)]
        return [f"{len(labels)}", *ends]
    return [f"{positives:,}", f"{positives / rows:.2%}" if rows else NONE]


def _tell_features(model: "PackagedModel") -> str:
    weights, monotone = model.metadata.get("column_weights", {}), model.metadata.get("monotone")
    personal = model.metadata.get("personal", [])
    rows = [
        [
            quote_cell(column.name),
            _tell_kind(column),
            _tell_fill(column, is_personal=column.name in personal),
            NOT_RECORDED if monotone is None else escape_text(monotone.get(column.name, "free")),
            f"{weights[column.name]:.2%}" if column.name in weights else NONE,
        ]
        for column in model.encoder.columns
    ]
    return make_table(
        [("column", "left"), ("kind", "left"), ("where missing", "left"), ("direction", "left"), ("share of gain", "right")], rows
    )  # fmt: skip


def _tell_kind(column: EncodedColumn) -> str:
    if column.kind == "numeric":
        return "number"
    rest = "others together" if column.others else "others as if missing"
    return f"text, {len(column.levels)} levels, {rest}"


def _tell_fill(column: EncodedColumn, *, is_personal: bool) -> str:
    flagged = ", and a flag" if column.flag else ""
    if column.fill is None:
        return f"left missing{flagged}"
    if is_personal:
        return f"a value that is personal data{flagged}"
    value = f"{column.fill:g}" if column.kind == "numeric" else column.levels[int(column.fill)]
    return f"{quote_cell(value)}{flagged}"


def _tell_left_out(facts: Mapping[str, Any]) -> str:
    if "left_out" not in facts:
        return NOT_RECORDED
    rows = [[quote_cell(name), escape_text(why)] for name, why in facts["left_out"].items()]
    return make_table([("column", "left"), ("why", "left")], rows) if rows else "none"


def _tell_training(model: "PackagedModel") -> str:
    facts = model.metadata
    search, by = facts.get("search", {}), facts.get("search_by", {})
    trials = ", ".join(f"{search[key]} {word}" for key, word in _TRIAL_WORDS.items() if key in search)
    lines = {
        "Estimator": f"{_tell_code(facts.get('estimator'))} for {_tell_code(model.task)}",
        "Optimised": _tell_code(facts.get("metric")),
        "Boosting rounds": str(facts["rounds"]) if facts.get("rounds") else NONE,
        "Class weights": _tell_wish(facts, "class_weight"),
        "Weights of rows": _tell_wish(facts, "sample_weight"),
        "Search": f"{escape_text(' '.join(by.values())) or NOT_RECORDED}, seed {facts.get('seed', NOT_RECORDED)}: {trials or NOT_RECORDED}",
    }
    told = "\n".join(f"- **{name}:** {text}" for name, text in lines.items())
    return f"{told}\n\n{_tell_pairs(facts.get('params'), 'parameter', 'value')}"


_TRIAL_WORDS = {"max_trials": "trials at most", "trials": "made", "failed": "failed", "cancelled": "cancelled"}


def _tell_wish(facts: Mapping[str, Any], key: str) -> str:
    found = facts.get(key)
    if not found:
        return "none" if key in facts else NOT_RECORDED
    return quote_code(
        found if isinstance(found, str) else ", ".join(f"{name}: {part:g}" for name, part in found.items())
    )


def _tell_reproduction(version: "ModelVersion", facts: Mapping[str, Any]) -> str:
    return (
        f"{quote_code(f'sparkml-ops reproduce {version.name}@{version.version}')} trains on the training set "
        f"{_tell_code(facts.get('training_set_version'))} with the seed {facts.get('seed', NOT_RECORDED)}; the code was "
        f"{_tell_code(version.code_version)}."
    )


def _tell_pairs(pairs: Mapping[str, Any] | None, name: str, value: str) -> str:
    if pairs is None:
        return NOT_RECORDED
    rows = [[quote_cell(key), quote_cell(str(found))] for key, found in pairs.items()]
    return make_table([(name, "left"), (value, "left")], rows) if rows else "none"


def _tell_instant(text: str | None) -> str:
    """`2013-12-01 06:00:00 UTC`, of an instant in ISO 8601 and UTC."""
    return escape_text(text.replace("T", " ").replace("+00:00", " UTC")) if text else NOT_RECORDED


def _tell_code(text: str | None) -> str:
    return quote_code(text) if text else NOT_RECORDED
