"""Real files -> a first contract, with what was seen as comments: a start to be read and mended by a person."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.config.sources import Source
from sparkml_ops.config.types import IDENTIFIER_PATTERN
from sparkml_ops.errors import ConfigError
from sparkml_ops.ingestion.contract import IS_ROW, READER_COLUMNS
from sparkml_ops.ingestion.files import LandedFile, list_files, plain_path, read_first_line
from sparkml_ops.ingestion.readers import KINDS
from sparkml_ops.lake.location import quote_identifier

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

NULLS = ("", "NA")  # the defaults of `null_values`
MOST_VALUES = 30  # a column with more different texts is no list of allowed ones
ROWS_PER_VALUE = 20  # nor is one whose texts come less often than this
_EXACT = 2**53  # past it a double is no longer exact to the unit
_SUFFIXES = {".csv": "csv", ".json": "json", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}
_TYPES = ("boolean", "int", "long", "double", "date", "timestamp")
_DAY = r"^\d{4}-\d{2}-\d{2}$"


@dataclass(frozen=True)
class ColumnSeen:
    """What was seen in one column.

    Attributes:
        name: as the files have it.
        rows: rows that were read.
        nulls: rows whose text means null.
        distinct: how many different values there are; about, where there are many and it decides about no key.
        fits: rows that each type fits, by type.
        lowest: the lowest value, as a number where all are numbers, else as text.
        highest: the highest.
        lengths: fewest and most characters.
        values: all values, where there are few.
        has_codes: some digits start with a zero, as in codes and numbers of accounts, and no number may be made of them.
    """

    name: str
    rows: int
    nulls: int
    distinct: int
    fits: dict[str, int]
    lowest: Any
    highest: Any
    lengths: tuple[int, int]
    values: tuple[str, ...] | None
    has_codes: bool

    @property
    def type(self) -> str:
        """The narrowest type that fits every value; string where there is none, and where nothing but nulls was seen."""
        filled = self.rows - self.nulls
        if not filled or self.has_codes:
            return "string"
        return next((kind for kind in _TYPES if self.fits.get(kind) == filled), "string")


def infer_contract(spark: "SparkSession", path: str, *, name: str) -> str:
    """Look at all rows of some files and write the `sources` part of a use case for them.

    Args:
        spark: where the files are read; nothing is written.
        path: a file, a folder or a pattern; the format is known by the files' names.
        name: name of the source.

    Raises:
        ConfigError: the names do not tell the format, or no row can be read.
        SetupError: nothing lies at the path.
        ContractError: the files have no usable header.
    """
    if not re.fullmatch(IDENTIFIER_PATTERN, name):
        raise ConfigError(f"{name!r} is no name of a source: letters, digits and _, not starting with a digit")
    # Listing and reading want a contract; this one asks for nothing.
    blank = Source.model_construct(
        path=path,
        key=[],
        format="csv",
        encoding="utf-8",
        delimiter=",",
        columns={},
        new_columns="add",
        multiline=False,
        partition_columns=[],
    )
    landed = list_files(spark, blank, name=name)
    form = _find_format(landed)
    paths = [file.path for file in landed]
    source = blank.model_copy(update={"format": form, "delimiter": _find_delimiter(spark, paths[0], form)})
    rows = KINDS[form].read(spark, source, paths)
    lines = rows.where(IS_ROW).persist()
    try:
        sound = lines.where("_malformed IS NULL")
        seen = look_at_columns(sound)
        malformed = lines.where("_malformed IS NOT NULL").count()
    finally:
        lines.unpersist()
    if not seen or not seen[0].rows:
        raise ConfigError(f"{path}: no row can be read, so there is nothing to go by")
    return write_source(name, source, seen, malformed=malformed)


def look_at_columns(rows: "DataFrame") -> list[ColumnSeen]:
    """What is in each column: one pass, and a second over the columns that may be keys or have few values."""
    names = [name for name in rows.columns if name not in READER_COLUMNS]
    texts = rows.select(*[_to_text(quote_identifier(name)).alias(str(at)) for at, name in enumerate(names)])
    figures = [_look_at(F.col(str(at))).alias(str(at)) for at in range(len(names))]
    first = texts.agg(F.count(F.lit(1)).alias("rows"), *figures).first()
    total = first["rows"] if first else 0
    if not first or not total:
        return []
    found = {at: first[str(at)].asDict() for at in range(len(names))}
    few = [at for at, seen in found.items() if 0 < seen["distinct"] <= MOST_VALUES]
    keys = [at for at, seen in found.items() if seen["filled"] == total and seen["distinct"] > total * 0.9]
    exact = [F.count_distinct(str(at)).alias(f"k{at}") for at in keys]
    sets = [F.sort_array(F.collect_set(str(at))).alias(f"v{at}") for at in few]
    second = texts.agg(F.lit(1), *exact, *sets).first()
    closer = second.asDict() if second else {}
    return [
        _to_seen(name, total, found[at], distinct=closer.get(f"k{at}"), values=closer.get(f"v{at}"))
        for at, name in enumerate(names)
    ]


def write_source(name: str, source: Source, seen: Sequence[ColumnSeen], *, malformed: int) -> str:
    """The YAML of a source, from what was seen."""
    usable = [column for column in seen if re.fullmatch(IDENTIFIER_PATTERN, column.name)]
    keys = [column for column in usable if column.distinct == column.rows and not column.nulls]
    key = keys[0].name if keys else "…"
    key_note = (
        "the first column that has a different value in each row"
        if keys
        else "no column names a row alone: say which do together"
    )
    lines = [
        "# Written by `sparkml-ops contract infer`: what was seen is no promise of what will come. Read it, and mend it.",
        "sources:",
        f"  {name}:",
        f"    path: {json.dumps(source.path, ensure_ascii=False)}",
        f"    format: {source.format}",
        *([f"    delimiter: {json.dumps(source.delimiter)}"] if source.delimiter != "," else []),
        f"    key: [{key}] # {key_note}",
        *(["    new_columns: ignore"] if len(usable) < len(seen) else []),
        f"    columns: # {seen[0].rows:,} rows were read"
        + (f"; {malformed:,} more could not be taken apart and would go to quarantine" if malformed else ""),
    ]
    lines += [f"      {column.name}: {_write_rules(column)} # {_write_comment(column)}" for column in usable]
    lines += [
        f"      # {json.dumps(column.name, ensure_ascii=False)}: passed over, because a name has letters, digits and _ only: {_write_comment(column)}"
        for column in seen
        if column not in usable
    ]
    return "\n".join(lines) + "\n"


def _write_rules(column: ColumnSeen) -> str:
    rules = [f"type: {column.type}"]
    if column.nulls:
        rules.append("nullable: true")
    if column.type == "string" and column.values and column.rows >= ROWS_PER_VALUE * len(column.values):
        rules.append(f"in: {json.dumps(column.values, ensure_ascii=False)}")
    return "{" + ", ".join(rules) + "}"


def _write_comment(column: ColumnSeen) -> str:
    said = []
    if column.nulls:
        said.append(f"{column.nulls / column.rows:.1%} null")
    if column.nulls == column.rows:
        return "nothing but nulls"
    about = "" if column.values else "about "
    said.append("all different" if column.distinct == column.rows else f"{about}{column.distinct:,} different")
    said.append(f"{_show(column.lowest)} … {_show(column.highest)}")
    if column.type == "string":
        fewest, most = column.lengths
        said.append(f"{fewest} … {most} characters" if fewest != most else f"{most} character{'s' * (most != 1)}")
    if column.has_codes:
        said.append("digits that start with 0 are no numbers")
    return ", ".join(said)


def _show(value: object) -> str:
    is_whole = isinstance(value, float) and value.is_integer() and abs(value) < _EXACT
    text = f"{value:.0f}" if is_whole else f"{value:g}" if isinstance(value, float) else str(value)
    text = text if len(text) <= 40 else f"{text[:39]}…"  # noqa: PLR2004  # of a long text the start is enough
    return re.sub(r"\s+", " ", text)


def _to_text(column: str) -> "Column":
    text = F.col(column).cast("string")
    return F.when(~text.isin(*NULLS), text)


def _look_at(text: "Column") -> "Column":
    number = text.try_cast("double")
    fits = {kind: text.try_cast(kind).isNotNull() for kind in ("int", "long")}
    fits["boolean"] = F.lower(text).isin("true", "false")
    fits["double"] = F.abs(number) < float("inf")
    fits["date"] = F.regexp_like(text, F.lit(_DAY)) & text.try_cast("date").isNotNull()
    fits["timestamp"] = F.contains(text, F.lit("-")) & text.try_cast("timestamp").isNotNull()
    return F.struct(
        F.count(text).alias("filled"),
        F.approx_count_distinct(text, 0.02).alias("distinct"),
        *[F.count_if(fits[kind]).alias(kind) for kind in _TYPES],
        F.min(text).alias("least"),
        F.max(text).alias("most"),
        F.min(number).alias("lowest"),
        F.max(number).alias("highest"),
        F.min(F.char_length(text)).alias("fewest_characters"),
        F.max(F.char_length(text)).alias("most_characters"),
        F.count_if(F.regexp_like(text, F.lit(r"^[+-]?0\d"))).alias("codes"),
    )


def _to_seen(
    name: str, rows: int, figures: dict[str, Any], *, distinct: int | None, values: list[str] | None
) -> ColumnSeen:
    is_number = figures["double"] == figures["filled"] and not figures["codes"]
    return ColumnSeen(
        name=name,
        rows=rows,
        nulls=rows - figures["filled"],
        # An estimate must not look like a key.
        distinct=distinct or len(values or ()) or min(figures["distinct"], rows - 1),
        fits={kind: figures[kind] for kind in _TYPES},
        lowest=figures["lowest"] if is_number else figures["least"],
        highest=figures["highest"] if is_number else figures["most"],
        lengths=(figures["fewest_characters"] or 0, figures["most_characters"] or 0),
        values=tuple(values) if values else None,
        # A time of day or a date starts with a zero as well.
        has_codes=bool(figures["codes"]) and figures["double"] == figures["filled"],
    )


def _find_format(landed: Sequence[LandedFile]) -> str:
    found = {_suffix_of(file.path): file.path for file in landed}
    formats = {_SUFFIXES.get(suffix) for suffix in found}
    form = formats.pop() if len(formats) == 1 else None
    if form is None:
        some = ", ".join(plain_path(path) for path in list(found.values())[:5])
        raise ConfigError(
            f"the names do not tell one format: {some}. Expected files that end with {', '.join(_SUFFIXES)}, packed (.gz) or not."
        )
    return form


def _suffix_of(path: str) -> str:
    return "." + path.removesuffix(".gz").rpartition("/")[2].rpartition(".")[2].lower()


def _find_delimiter(spark: "SparkSession", path: str, form: str) -> str:
    """The sign that stands most often in the header."""
    if form != "csv":
        return ","
    header = read_first_line(spark, path, encoding="utf-8")
    return max(",;\t|", key=header.count)
