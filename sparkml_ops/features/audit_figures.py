"""What an audit says: figures, the limits they were held against, and what to do about those past them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from sparkml_ops.config.audit import Audit
from sparkml_ops.features.overlaps import Duplicates, Overlap
from sparkml_ops.features.stored_differences import Difference
from sparkml_ops.features.telling_features import Telling

CHANCE = 1e-9
"""Below it nobody takes a single class for chance, however many features there are."""
CLOCK = 0.99
"""Rank correlation with the moment past which a number that no two rows share counts rows, or time."""

Verdict = Literal["ok", "alert", "accepted", "no_data"]


@dataclass(frozen=True)
class AuditFigure:
    """One figure of an audit.

    Attributes:
        check: which check it is of.
        subject: the feature, the view, or the columns that it is about.
        value: the figure; None where there are too few rows, or no history, to tell it.
        limit: past it the figure is a finding.
        verdict: `alert` is a finding; `accepted` is one that `audit.accept` gives a reason for.
        message: what was found, and what to do.
    """

    check: str
    subject: str
    value: float | None
    limit: float | None
    verdict: Verdict
    message: str = ""


def judge_difference(found: Difference, *, rows: int, keys: Sequence[str]) -> AuditFigure:
    """Whether stored values are those that were known at the moment."""
    verdict: Verdict = "alert" if found.rows else "ok"
    example = "" if found.row is None else f", such as {_tell_example(found, keys)}"
    return AuditFigure(
        "after_moment",
        found.feature,
        found.rows / rows,
        0.0,
        verdict,
        f"{found.rows} of {rows} rows have another value than the events that were known at their moment give{example}. Build the "
        "view and the training set again; where it stays so, look for what gives other rows each time it is read."
        if found.rows
        else "",
    )


def judge_change(found: Difference, *, rows: int, keys: Sequence[str], limit: float) -> AuditFigure:
    """Whether stored values are those that the tables gave at the moment itself."""
    if not rows:
        return AuditFigure("changed_since", found.feature, None, limit, "no_data")
    share = found.rows / rows
    is_past = share > limit
    example = "" if found.row is None else f", such as {_tell_example(found, keys)}"
    return AuditFigure(
        "changed_since",
        found.feature,
        share,
        limit,
        "alert" if is_past else "ok",
        f"{found.rows} of {rows} rows have another value than the tables gave at their moment (share {share:.4f}, limit "
        f"{limit:g}){example}. What came or was corrected later is in them: say when it is known by `available_after` or "
        "`known_at`, and keep corrections beside what they correct."
        if is_past
        else "",
    )


def judge_telling(told: Telling, audit: Audit, *, clock: float | None) -> list[AuditFigure]:
    """Whether a feature alone says too much, by its values, its gaps, or by naming rows."""
    left_out = "Leave it out, or say in audit.accept why it may stay."
    return [
        _judge(
            "label_copy",
            told.feature,
            told.alone,
            audit.label_copy_over,
            f"alone it has a ROC AUC of {_show(told.alone)} (limit {audit.label_copy_over:g}), as a copy of the label has. Is it "
            f"known when the decision is made? {left_out}",
        ),
        _judge(
            "missing_tells",
            told.feature,
            told.missing,
            audit.missing_tells_over,
            f"whether it is missing has a ROC AUC of {_show(told.missing)} (limit {audit.missing_tells_over:g}): it is filled in, or "
            f"removed, by what happens after the decision. {left_out}",
        ),
        _judge_one_class(told),
        _judge_names(told, audit, clock=clock),
    ]


def judge_overlap(check: str, columns: Sequence[str], found: Overlap) -> AuditFigure:
    """Whether something that must be in one part alone is in several."""
    return AuditFigure(
        check,
        ", ".join(columns),
        float(found.shared),
        0.0,
        "alert" if found.shared else "ok",
        f"{found.shared} of {found.values} are in more than one of train, valid and test, such as {'; '.join(found.examples)}: what "
        "is judged was learned from. Make the key unique, or declare `dataset.split.groups`, and create the training set again."
        if found.shared
        else "",
    )


def judge_duplicates(found: Duplicates, features: Sequence[str], *, limit: float) -> AuditFigure:
    """Whether rows that a model is judged on are rows that it has learned from."""
    share = found.share
    return _judge(
        "duplicate_rows",
        f"{len(features)} features",
        share,
        limit,
        f"{found.rows} of {found.others} rows of valid and test have the features of a row of train (share {_show(share)}, limit "
        f"{limit:g}). Are decisions recorded several times under other keys? Remove them in dataset.where or split by groups; where few "
        "and coarse features repeat by nature, set audit.duplicate_rows_over.",
    )


def accept_known(figures: Sequence[AuditFigure], accept: Mapping[str, str]) -> list[AuditFigure]:
    """The figures, with findings that there is a reason for told as accepted."""
    return [
        replace(figure, verdict="accepted", message=f"accepted: {accept[figure.subject]}. {figure.message}")
        if figure.verdict == "alert" and figure.subject in accept
        else figure
        for figure in figures
    ]


def _judge(check: str, subject: str, value: float | None, limit: float, message: str) -> AuditFigure:
    if value is None:
        return AuditFigure(check, subject, None, limit, "no_data")
    is_past = value > limit
    return AuditFigure(check, subject, value, limit, "alert" if is_past else "ok", message if is_past else "")


def _judge_one_class(told: Telling) -> AuditFigure:
    chance = told.one_class
    if chance is None:
        return AuditFigure("one_class_gaps", told.feature, None, CHANCE, "no_data")
    if chance >= CHANCE:
        return AuditFigure("one_class_gaps", told.feature, chance, CHANCE, "ok")
    return AuditFigure(
        "one_class_gaps",
        told.feature,
        chance,
        CHANCE,
        "alert",
        f"all rows that have it, or all that lack it, have one and the same label; by chance with a probability of {chance:.1e} "
        f"(limit {CHANCE:g}). Is it filled in by what is to be predicted? Leave it out, or say in audit.accept why it may stay.",
    )


def _judge_names(told: Telling, audit: Audit, *, clock: float | None) -> AuditFigure:
    limit, share = audit.unique_over, told.distinct
    if share is None or share <= limit or told.is_whole:
        return _judge(
            "identifier",
            told.feature,
            share,
            limit,
            f"{_show(share)} different values per row (limit {limit:g}): it names rows, so a model can only learn them by heart. "
            "Leave it out, or derive what it stands for; or say in audit.accept why it may stay.",
        )
    is_clock = clock is not None and abs(clock) > CLOCK
    return AuditFigure(
        "row_order",
        told.feature,
        clock,
        CLOCK,
        "alert" if is_clock else "ok" if clock is not None else "no_data",
        f"no two rows share a value, and it follows the moment with a rank correlation of {_show(clock)} (limit {CLOCK:g}): it is a "
        "number of rows or a clock, and every row to be scored lies past what was learned. Leave it out, or take a difference of it."
        if is_clock
        else "",
    )


def _tell_example(found: Difference, keys: Sequence[str]) -> str:
    return f"{keys[found.row or 0]}: stored {_show(found.stored)}, known then {_show(found.found)}"


def _show(value: object) -> str:
    return "nothing" if value is None else f"{value:.6g}" if isinstance(value, float) else repr(value)
