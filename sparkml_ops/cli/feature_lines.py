"""Feature views for people: the list, and all about one."""

from typing import TYPE_CHECKING

from sparkml_ops.cli.output import format_table, format_value

if TYPE_CHECKING:
    from sparkml_ops.catalog import ColumnStatistics, ModelUse, ViewColumn, ViewEntry, ViewStory

_SHOWN_VERSIONS = 5  # of a table over time; --json has all that are kept in mind
_LONGEST = 60  # characters of a list of columns


def describe_views(entries: "tuple[ViewEntry, ...]") -> list[str]:
    """A line for each view."""
    from sparkml_ops.reporting.formats import format_age

    columns = ("view", "entity", "columns", "rows", "built", "newest event", "age", "models", "owner", "description")
    rows = [
        (
            e.view,
            ", ".join(e.entity),
            len(e.columns),
            e.rows,
            e.built_at,
            e.newest_at,
            None if e.age_seconds is None else format_age(e.age_seconds),
            _tell_models(e.models) if e.is_learned or e.models else "not learned from",
            e.owner or None,
            e.description,
        )
        for e in entries
    ]
    return [*format_table(columns, rows), *_tell_outdated(entries)]


def _tell_outdated(entries: "tuple[ViewEntry, ...]") -> list[str]:
    """Tables whose figures are those of another definition."""
    names = [e.view for e in entries if e.is_current is False]
    if not names:
        return []
    told = ", ".join(names)
    return [
        "",
        f"Built from another definition, or changed by another hand: {told}. The next build makes the table anew.",
    ]


def describe_view(story: "ViewStory") -> list[str]:
    """All about a view: what it is, its columns and their figures, over time, where it goes."""
    e = story.entry
    table = f"{e.table}@v{e.version}, {format_value(e.rows)} rows, built {format_value(e.built_at)}"
    who = f"owner: {e.owner or 'nobody is named'} · entity: {', '.join(e.entity)}"
    head = [
        f"{e.view}: {e.description or 'no description'}",
        f"{who} · from: {', '.join(e.sources)} · time to live: {e.ttl or 'none'}",
        f"table: {table}" if e.version is not None else "table: never built",
        f"newest event: {_tell_newest(e)}",
        f"which rows there are, by: {', '.join(story.rows_by) or 'a Python function'}",
    ]
    figures = ("column", "type", "nulls", "mean", "p50", "distinct", "made of", "meaning")
    rows = [(c.name, c.type, *_tell_figures(c), _shorten(_tell_reads(c)), c.meaning) for c in story.columns]
    head += _tell_outdated((e,))
    return [*head, "", *format_table(figures, rows), *_tell_history(story), "", *_tell_uses(story)]


def _tell_newest(e: "ViewEntry") -> str:
    from sparkml_ops.reporting.formats import format_age

    if e.age_seconds is not None:
        return f"{format_value(e.newest_at)}, {format_age(e.age_seconds)} ago"
    if e.version is None:
        return "not known before it is built"
    return "timeless or empty" if e.is_current else "not known of another definition"


def _tell_history(story: "ViewStory") -> list[str]:
    if not story.sizes:
        return ["", "No figures yet: the next build records them."]
    rows = [
        (f"v{one.version}", one.measured_at, int(one.figures["rows"]), _mean_nulls(story, one.version))
        for one in story.sizes[:_SHOWN_VERSIONS]
    ]
    return ["", "Over time:", *format_table(("version", "measured", "rows", "nulls, mean of all columns"), rows)]


def _mean_nulls(story: "ViewStory", version: int) -> str | None:
    shares = [one.figures["nulls"] for c in story.columns for one in c.statistics if one.version == version]
    return f"{sum(shares) / len(shares):.1%}" if shares else None


def _tell_uses(story: "ViewStory") -> list[str]:
    e = story.entry
    learned = [c for c in story.columns if c.is_learned]
    lines = [
        f"  the dataset learns from {len(learned)} of {len(story.columns)} columns"
        if e.is_learned
        else "  the dataset does not look it up"
    ]
    lines += [f"  {c.name} → {', '.join(c.derived)}" for c in story.columns if c.derived]
    if story.training_sets:
        lines.append(
            f"  training sets: {', '.join(story.training_sets[:_SHOWN_VERSIONS])} ({len(story.training_sets)} in all)"
        )
    if e.models:
        lines.append(f"  models: {_tell_models(e.models)}")
    published = ["  published predictions come from it"] if e.is_published else []
    return ["Where it goes:", *lines, *published]


def _tell_models(models: "tuple[ModelUse, ...]") -> str:
    told = list(dict.fromkeys(f"{use.version}{' (champion)' if use.is_champion else ''}" for use in models))
    shown, more = told[:_SHOWN_VERSIONS], [f"… {len(told)} in all"] if len(told) > _SHOWN_VERSIONS else []
    return ", ".join([*shown, *more]) or "none yet"


def _tell_figures(column: "ViewColumn") -> tuple[object, ...]:
    one: ColumnStatistics | None = column.statistics[0] if column.statistics else None
    if one is None:
        return (None,) * 4
    distinct = one.figures.get("distinct")
    return (
        f"{one.figures['nulls']:.1%}",
        one.figures.get("mean"),
        one.figures.get("p50"),
        None if distinct is None else int(distinct),
    )


def _tell_reads(column: "ViewColumn") -> str:
    return ", ".join([*column.reads, *([] if column.is_traced else ["what Python reads"])]) or "rows alone"


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
