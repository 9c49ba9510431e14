"""What `score` did, or would do, for people."""

from typing import TYPE_CHECKING

from sparkml_ops.cli.output import format_table

if TYPE_CHECKING:
    from sparkml_ops.scoring import ScoreResult, ScoringPlan


def describe_scoring(result: "ScoreResult") -> list[str]:
    """A batch by role, its checks, and why it is not published."""
    if not result.batches:
        return ["Nothing is new or changed: all rows are published as they would be scored."]
    columns = ("batch", "role", "version", "status", "rows", "refused", "positives", "mean prediction")
    rows = [
        (b.batch_id, b.role, b.model_version, b.status, b.rows, b.rows_refused, b.positives, b.mean_prediction)
        for b in result.batches
    ]
    checks = [f"  {c.check}: {c.verdict}: {c.reason}" for b in result.batches for c in b.checks]
    held = [
        f"not published: {b.status.replace('_', ' ')} by {b.history[-1].by}: {b.history[-1].reason}"
        for b in result.batches
        if b.status in ("held", "rolled_back")
    ]
    return [*format_table(columns, rows), *checks, *held]


def describe_calendar(plan: "ScoringPlan") -> list[str]:
    """The days of a request, gaps and doubles marked."""
    if not plan.days:
        return ["Nothing is asked for: scoring.from has no row in this span."]
    columns = ("day", "asked", "refused", "new", "published", "by others", "older", "batches", "")
    rows = []
    for one in plan.days:
        marks = [*(["gap"] if not one.asked else []), *(["refused rows"] if one.refused else [])]
        marks += [f"from {one.batches} batches"] if one.batches > 1 else []
        counts = (one.asked, one.refused, one.new, one.published, one.by_others, one.older, one.batches)
        rows.append((str(one.day or "no moment"), *counts, ", ".join(marks)))
    return [f"version {plan.model_version} would score:", *format_table(columns, rows)]
