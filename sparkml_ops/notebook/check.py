"""What a view's rows are like before anybody learns from them: rows, nulls, duplicates, and how many moments they answer."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.features import feature_name
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import join_point_in_time, take_rows
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.events import KNOWN_AT, TIMESTAMP, event_time, find_events, known_time, says_nothing
from sparkml_ops.features.expressions import compile_expression, require_columns
from sparkml_ops.lake import quote_identifier, resolve_relation

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

_FEW = 0.5  # a view that is missing for half of the moments is more often a mistake than meant
_YOUNG, _ANY, _THERE = "young", "any", "there"


@dataclass(frozen=True)
class Coverage:
    """How many moments find a row.

    Attributes:
        moments: how many were asked.
        found: those with a row that counts.
        stale: those whose rows are all older than the time to live, or outside of every window.
        unseen: those of whose entity nothing was known by then.
    """

    moments: int
    found: int
    stale: int
    unseen: int

    @property
    def share(self) -> float:
        """Share of the moments that find a row; 0 without moments."""
        return self.found / max(self.moments, 1)


@dataclass(frozen=True)
class CheckResult:
    """What a view's rows are like.

    Attributes:
        view: its name.
        events: rows of its relation for which `where` holds.
        left_out: those without an entity or a time.
        duplicates: those of the others that share entity, time and the instant at which they were known with another one, but
            for one of each. A `select` view keeps one of them; an `aggregate` view counts them all.
        rows: rows of the view.
        entities: how many entities they are about, within 5 %.
        first_at: the oldest row's time; UTC.
        last_at: the newest row's.
        nulls: rows without a value, by column.
        coverage: how many moments find a row; None where the moments lack the view's entity.
        notes: what is worth a second look, in words.
    """

    view: str
    events: int
    left_out: int
    duplicates: int
    rows: int
    entities: int
    first_at: datetime | None
    last_at: datetime | None
    nulls: dict[str, int]
    coverage: Coverage | None
    notes: tuple[str, ...]

    def __str__(self) -> str:
        """The figures as lines."""
        head = [
            f"{self.view}: {self.rows} rows of about {self.entities} entities, from {self.first_at} to {self.last_at}",
            f"  events: {self.events}, left out {self.left_out}, duplicates {self.duplicates}",
            *(f"  {name}: {nulls} nulls ({nulls / max(self.rows, 1):.1%})" for name, nulls in self.nulls.items()),
        ]
        c = self.coverage
        told = (
            []
            if c is None
            else [f"  {c.moments} moments: {c.found} find a row ({c.share:.1%}), {c.stale} stale, {c.unseen} unseen"]
        )
        return "\n".join([*head, *told, *(f"  note: {note}" for note in self.notes)])

    __repr__ = __str__


def check_view(
    name: str, use_case: "UseCase", lake: "Lake", *, moments: "DataFrame | None" = None, timestamp: str | None = None
) -> CheckResult:
    """Count events, rows and nulls in one pass each, and look the view up once for all moments.

    Args:
        name: the view.
        use_case: with the view.
        lake: where the tables are.
        moments: rows with the entity columns and a time; the decisions of the dataset by default.
        timestamp: name of the column with the moment; the dataset's by default.

    Raises:
        ConfigError: the view does not fit its relation, or the moments do not fit the view.
        TableNotFoundError: a table is not there.
    """
    view = use_case.features[name]
    at = use_case.dataset.timestamp if timestamp is None else timestamp
    asked = _find_moments(use_case, lake, view) if moments is None else moments
    if asked is not None:  # before anything is counted
        _require_moments(asked, view, at)
    relation, _ = resolve_relation(lake, view.relation)
    events, left_out, duplicates = _count_events(find_events(relation, view, name=name), view)
    rows = compute_features(relation, view, name=name)
    figures = _measure_rows(rows, view)
    coverage = None if asked is None else _cover(asked, name, view, rows, at)
    nulls = {column: figures[f"nulls_{at}"] for at, column in enumerate(view.column_names())}
    return CheckResult(
        view=name,
        events=events,
        left_out=left_out,
        duplicates=duplicates,
        rows=figures["rows"],
        entities=figures["entities"],
        first_at=_to_instant(figures["first_at"]) if view.timestamp else None,
        last_at=_to_instant(figures["last_at"]) if view.timestamp else None,
        nulls=nulls,
        coverage=coverage,
        notes=tuple(_note(view, figures["rows"], nulls, duplicates, coverage)),
    )


def _count_events(events: "DataFrame", view: "FeatureView") -> tuple[int, int, int]:
    """All events, those that say nothing, and those that share their entity and times with another one."""
    whose = [F.col(quote_identifier(column)) for column in view.entity]
    nothing = says_nothing(view)
    same = events.groupBy(
        nothing.alias("nothing"), *whose, event_time(view).alias("_at"), known_time(view).alias("_known")
    )
    counted = same.agg(F.count(F.lit(1)).alias("n")).agg(
        F.sum("n").alias("all"),
        F.sum(F.when(F.col("nothing"), F.col("n"))).alias("left_out"),
        F.sum(F.when(~F.col("nothing"), F.col("n") - 1)).alias("duplicates"),
    )
    told = counted.collect()[0]
    return int(told["all"] or 0), int(told["left_out"] or 0), int(told["duplicates"] or 0)


def _measure_rows(rows: "DataFrame", view: "FeatureView") -> dict[str, int]:
    whose = F.struct(*(F.col(quote_identifier(column)) for column in view.entity))
    nulls = [
        F.count_if(F.col(quote_identifier(column)).isNull()).alias(f"nulls_{at}")
        for at, column in enumerate(view.column_names())
    ]
    told = rows.agg(
        F.count(F.lit(1)).alias("rows"),
        F.approx_count_distinct(whose, 0.016).alias("entities"),
        F.unix_micros(F.min(TIMESTAMP)).alias("first_at"),
        F.unix_micros(F.max(TIMESTAMP)).alias("last_at"),
        *nulls,
    )
    return told.collect()[0].asDict()


def _find_moments(use_case: "UseCase", lake: "Lake", view: "FeatureView") -> "DataFrame | None":
    """The decisions of the dataset, where they have the view's entity."""
    dataset = use_case.dataset
    decisions, _ = resolve_relation(lake, dataset.relation)
    if dataset.where is not None:
        decisions = decisions.where(compile_expression(decisions, dataset.where, place="dataset.where"))
    if not {*view.entity, dataset.timestamp} <= set(decisions.columns):
        return None
    wanted = dict.fromkeys([*view.entity, dataset.timestamp])
    at = F.col(quote_identifier(dataset.timestamp))
    return decisions.where(at.isNotNull()).select(*(F.col(quote_identifier(name)) for name in wanted))


def _require_moments(moments: "DataFrame", view: "FeatureView", timestamp: str) -> None:
    if timestamp not in moments.columns:
        raise ConfigError(f"check: the moments have no column `{timestamp}`. Name the one with the time, timestamp=….")
    require_columns(moments, view.entity, place="check, the moments")


def _cover(moments: "DataFrame", name: str, view: "FeatureView", rows: "DataFrame", timestamp: str) -> Coverage:
    """Look up whether there is a row, with the time to live and without, in one look-up."""
    keys = [F.col(quote_identifier(column)) for column in (*view.entity, TIMESTAMP, KNOWN_AT)]
    there = replace(
        take_rows(name, view, rows.select(*keys, F.lit(True).alias(_THERE))),
        columns=(_THERE,),
        counts=frozenset(),
    )
    wanted = dict.fromkeys([*view.entity, timestamp])
    bare = moments.select(*(F.col(quote_identifier(column)) for column in wanted))
    both = [replace(there, name=_YOUNG), replace(there, name=_ANY, ttl=None)]
    found = join_point_in_time(bare, both, timestamp=timestamp)
    young, ever = (F.col(feature_name(one, _THERE)).isNotNull() for one in (_YOUNG, _ANY))
    told = found.agg(
        F.count(F.lit(1)).alias("moments"),
        F.count_if(young).alias("found"),
        F.count_if(~young & ever).alias("stale"),
        F.count_if(~ever).alias("unseen"),
    ).collect()[0]
    return Coverage(told["moments"], told["found"], told["stale"], told["unseen"])


def _note(
    view: "FeatureView", rows: int, nulls: dict[str, int], duplicates: int, coverage: Coverage | None
) -> list[str]:
    notes = [] if rows else ["there is no row: nothing in the relation has an entity and a time"]
    notes += [f"{column} is null in every row" for column, count in nulls.items() if rows and count == rows]
    if duplicates and view.select:
        notes.append(f"{duplicates} events share entity and time with another one; of each, one is kept")
    if coverage is None:
        notes.append("the dataset's decisions lack its entity: give moments of your own to see what it covers")
    elif coverage.moments and coverage.share < _FEW:
        notes.append(f"only {coverage.share:.1%} of the moments find a row")
    return notes


def _to_instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else datetime.fromtimestamp(microseconds / 1e6, UTC)
