"""A contract as columns: raw text in, typed values and the names of the violated rules out."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pyspark.errors import PySparkException
from pyspark.sql import Column
from pyspark.sql import functions as F

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.errors import ContractError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.sources import Column as Rule
    from sparkml_ops.config.sources import Severity, Source

VIOLATIONS = "_violations"
RAW = "_raw"
_BETWEEN_REASONS = "\x1f"  # the unit separator; `_clean_text` keeps it out of the reasons
HEADER = "_header"
IS_ROW = "_is_row"
BLOCK, POSITION = "_block", "_position"
READER_COLUMNS = ("_source_file", RAW, HEADER, "_malformed", IS_ROW, BLOCK, POSITION)


def apply_contract(raw: "DataFrame", source: "Source", *, name: str) -> "DataFrame":
    """Type and judge raw rows.

    Args:
        raw: the files' columns, as text or already typed, with the `READER_COLUMNS`.
        source: the contract.
        name: the source's name, for messages.

    Returns:
        One row per raw row: the clean columns, `_violations` (all violated rules, in the contract's order; empty for a good
        row), and the reader's own columns but `_malformed`.

    Raises:
        ContractError: a declared column is missing, or an undeclared one is there and `new_columns` is `fail`.
    """
    added = compare_columns(raw.columns, source, place=f"source {name}")
    texts = {column: _null_texts(F.col(f"`{column}`"), source) for column in [*source.columns, *added]}
    typed = raw.select(
        *READER_COLUMNS,
        list_reasons(_flag(_list_column_rules(texts, source))).alias("_column_violations"),
        *[
            _typed(texts[column], rule).alias(column, metadata=_comment(rule))
            for column, rule in source.columns.items()
        ],
        *[texts[column].alias(column) for column in added],
    )
    for column, expression in source.derive.items():
        typed = typed.withColumn(column, F.expr(expression))
    keys = [(f"key: {key} is null", F.col(key).isNull()) for key in source.key]
    judged = F.concat("_column_violations", list_reasons(_flag([*keys, *_list_row_rules(source)])))
    return typed.select(
        *source.column_names(),
        *added,
        F.when(F.col("_malformed").isNotNull(), F.array("_malformed")).otherwise(judged).alias(VIOLATIONS),
        *[column for column in READER_COLUMNS if column != "_malformed"],
    )


def list_reasons(reasons: Sequence[Column]) -> Column:
    """The reasons that are not null, as a list: compiled code, where `array_compact` would be interpreted row by row."""
    text = F.concat_ws(_BETWEEN_REASONS, *reasons)
    return F.when(text == "", F.array().cast("array<string>")).otherwise(F.split(text, _BETWEEN_REASONS))


def compare_columns(found: Sequence[str], source: "Source", *, place: str) -> list[str]:
    """The undeclared columns to keep; raises ContractError with a diff where the policy says so."""
    present = [column for column in found if column not in READER_COLUMNS]
    missing = [column for column in source.columns if column not in present]
    new = [column for column in present if column not in source.columns]
    refused = new if source.new_columns == "fail" else []
    if missing or refused:
        lines = [f"  - {column}: declared, not there{_hint(column, new)}" for column in missing]
        lines += [f"  + {column}: there, not declared" for column in refused]
        raise ContractError(
            f"{place}: the columns are not those of the contract:\n" + "\n".join(lines) + "\n"
            "The batch was refused; nothing was written. Mend the files, or `columns` of the source."
        )
    return new if source.new_columns == "add" else []


def name_columns(found: Sequence[str], source: "Source", *, place: str) -> list[str]:
    """The columns of a file that may have a place in a table: names that start with _ are ingestion's own.

    Raises:
        ContractError: there are such names, and `new_columns` does not ignore what is undeclared.
    """
    ours = [column for column in found if column.startswith("_")]
    if ours and source.new_columns != "ignore":
        raise ContractError(
            f"{place}: the names of the columns {ours[:5]} start with _, which ingestion keeps for its own. The batch was refused; "
            "nothing was written. Rename them in the files, or pass over them with `new_columns: ignore`."
        )
    return [column for column in found if column not in ours]


def _hint(column: str, candidates: Sequence[str]) -> str:
    folded = {candidate.casefold(): candidate for candidate in candidates}
    near = folded.get(column.casefold()) or next(iter(get_close_matches(column, candidates, n=1)), None)
    return f"; renamed to {near}?" if near else ""


def _null_texts(value: Column, source: "Source") -> Column:
    return F.when(value.cast("string").isin(source.null_values), F.lit(None)).otherwise(value)


def _typed(value: Column, rule: "Rule") -> Column:
    if rule.type == "string":
        return value.cast("string")
    if rule.format is not None:
        return F.try_to_timestamp(value.cast("string"), F.lit(rule.format)).cast(rule.type)
    typed = value.try_cast(rule.type)
    # "NaN" and "Infinity" are doubles to Spark, and would poison every sum.
    return F.when(F.abs(typed) < float("inf"), typed) if rule.type == "double" else typed


def find_severities(source: "Source") -> dict[str, "Severity"]:
    """What each rule asks for, by its reason.

    Not among them are the reasons of keys and of readers: such a row has no place in the table at all.
    """
    of_columns = {
        reason: rule.on_violation
        for column, rule in source.columns.items()
        for reason, _ in _list_rules_of(column, F.lit(None), source)
    }
    of_rows = {f"expect: {wanted.rule}": wanted.on_violation for wanted in source.expect}
    return {_clean_text(reason): severity or source.on_violation for reason, severity in (of_columns | of_rows).items()}


Rules = list[tuple[str, Column]]
"""Reasons, each with what is true of a row that it is the reason for."""


def _list_column_rules(texts: dict[str, Column], source: "Source") -> Rules:
    return [rule for column in source.columns for rule in _list_rules_of(column, texts[column], source)]


def _list_rules_of(column: str, text: Column, source: "Source") -> Rules:
    rule = source.columns[column]
    typed = _typed(text, rule)
    found: Rules = []
    if not rule.nullable:
        found.append((f"{column}: is null", text.isNull()))
    if rule.type != "string":
        found.append((f"{column}: is no {rule.type}", text.isNotNull() & typed.isNull()))
    if rule.between is not None:
        low, high = rule.between
        found.append((f"{column}: is outside {low:g} … {high:g}", ~typed.between(low, high)))
    if rule.allowed is not None:
        found.append((f"{column}: is not one of the allowed values", ~typed.isin(rule.allowed)))
    if rule.length is not None:
        fewest, most = rule.length
        reason = f"{column}: does not have {fewest} … {most} characters"
        found.append((reason, ~F.char_length(typed).between(fewest, most)))
    if rule.matches is not None:
        whole = F.lit(f"^(?:{rule.matches})$")
        found.append((f"{column}: does not match {rule.matches}", ~F.regexp_like(text.cast("string"), whole)))
    return found


def _list_row_rules(source: "Source") -> Rules:
    return [(f"expect: {wanted.rule}", ~F.expr(wanted.rule).cast("boolean")) for wanted in source.expect]


def _flag(rules: Rules) -> list[Column]:
    return [F.when(violated, F.lit(_clean_text(reason))) for reason, violated in rules]


def _clean_text(reason: str) -> str:
    return reason.replace(_BETWEEN_REASONS, " ")


def _comment(rule: "Rule") -> dict[str, str]:
    return {"comment": rule.comment} if rule.comment else {}


def hash_contract(source: "Source") -> str:
    """Hash of what the rows must hold; where the files lie is no part of it."""
    return hash_config(json.loads(source.model_copy(update={"path": "-"}).model_dump_json(by_alias=True)))


@contextmanager
def blaming_expressions(source: str) -> Iterator[None]:
    """Turn Spark's refusal of a value or a name in the user's SQL into an error of the user's."""
    try:
        yield
    except PySparkException as error:
        condition = error.getCondition()
        if condition is None:
            raise
        raise ContractError(
            f"source {source}: an expression in `derive` or `expect` failed with {condition}. Nothing was written. Where a "
            "value can be bad, the try_ functions (try_cast, try_to_timestamp, try_divide, …) give null instead of failing."
        ) from error
