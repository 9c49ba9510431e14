"""A contract as columns: raw text in, typed values and the names of the violated rules out."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import reduce
from operator import and_
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
_NEW_SHOWN = 20
_TELLING = 3  # letters: fewer are in many a name
_OF_COLUMNS, _OF_ROWS = "_of_columns", "_of_rows"
HEADER = "_header"
IS_ROW = "_is_row"
PANDAS_YEARS = 1678, 2261  # what pandas holds in nanoseconds: another instant would end every hand-over to Python
_YEARS = 1, 9999  # what Python and other readers hold; "1234567" is a date to Spark
BLOCK, POSITION = "_block", "_position"
_SEVERAL = "[STAGE_MATERIALIZATION_MULTIPLE_FAILURES]"
_CONDITION = re.compile(r"\[([A-Z][A-Z0-9_.]+)\]")
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
        ContractError: a declared column is missing, or an undeclared one is there, which `new_columns` neither ignores nor adds.
    """
    added = compare_columns(raw.columns, source, place=f"source {name}")
    # Each step's columns are computed once, however many rules of the next look at them.
    texts = raw.select(
        *READER_COLUMNS,
        *[_null_texts(F.col(f"`{column}`"), source).alias(text_of(column)) for column in source.columns],
        *[_null_texts(F.col(f"`{column}`"), source).alias(column) for column in added],
    )
    typed = texts.withColumns(
        {
            column: type_values(F.col(text_of(column)), rule).alias(column, metadata=_comment(rule))
            for column, rule in source.columns.items()
        }
    )
    judged = typed.withColumn(_OF_COLUMNS, list_reasons(_flag(_list_column_rules(source))))
    for column, expression in source.derive.items():
        judged = judged.withColumn(column, F.expr(expression))
    keys = [(f"key: {key} is null", F.col(key).isNull()) for key in source.key]
    judged = judged.withColumn(_OF_ROWS, list_reasons(_flag([*keys, *_list_row_rules(source)])))
    return judged.select(
        *source.column_names(),
        *added,
        F.when(F.col("_malformed").isNotNull(), F.array("_malformed"))
        .otherwise(F.concat(_OF_COLUMNS, _OF_ROWS))
        .alias(VIOLATIONS),
        *[column for column in READER_COLUMNS if column != "_malformed"],
    )


def flag_sound(typed: "DataFrame", source: "Source", *, flag: str) -> "DataFrame":
    """Add the derived columns, and a column that is true of rows that break no rule at all, not even one that only warns.

    Args:
        typed: the declared columns, and the texts that they are from by `text_of`.
        source: the contract.
        flag: the column to add.
    """
    kept = typed.withColumn(_OF_COLUMNS, _breaks_none(violated for _, violated in _list_column_rules(source)))
    for column, expression in source.derive.items():
        kept = kept.withColumn(column, F.expr(expression))
    keys = [F.col(key).isNull() for key in source.key]
    of_rows = _breaks_none([*keys, *(violated for _, violated in _list_row_rules(source))])
    return kept.withColumn(flag, F.col(_OF_COLUMNS) & of_rows).drop(_OF_COLUMNS)


def _breaks_none(violated: Iterable[Column]) -> Column:
    return reduce(and_, (~F.coalesce(one, F.lit(False)) for one in violated), F.lit(True))


def list_reasons(reasons: Sequence[Column]) -> Column:
    """The reasons that are not null, as a list."""
    # Good rows, which are most, get no further than the first branch: compiled code, where `filter` is interpreted.
    found = F.filter(F.array(*reasons), lambda reason: reason.isNotNull())
    return F.when(F.coalesce(F.lit(None), *reasons).isNull(), F.array().cast("array<string>")).otherwise(found)


def compare_columns(found: Sequence[str], source: "Source", *, place: str) -> list[str]:
    """The undeclared columns to keep; raises ContractError with a diff where the policy says so."""
    present = [column for column in found if column not in READER_COLUMNS]
    missing = [column for column in source.columns if column not in present]
    new = [column for column in present if column not in source.columns]
    refused = new if source.on_new_columns == "fail" else []
    if missing or refused:
        lines = [f"  - {column}: declared, not there{_hint(column, new)}" for column in missing]
        lines += [f"  + {column}: there, not declared" for column in new[:_NEW_SHOWN]]
        lines += [f"  + … {len(new) - _NEW_SHOWN} more"] if len(new) > _NEW_SHOWN else []
        raise ContractError(
            f"{place}: the columns are not those of the contract:\n" + "\n".join(lines) + "\n"
            "The batch was refused; nothing was written. Mend the files, or `columns` of the source"
            + ("; `new_columns: ignore` passes over what is not declared, and `add` keeps it." if refused else ".")
        )
    return new if source.on_new_columns == "add" else []


def name_columns(found: Sequence[str], source: "Source", *, place: str) -> list[str]:
    """The columns of a file that may have a place in a table: names that start with _ are ingestion's own.

    Raises:
        ContractError: there are such names, and `new_columns` does not ignore what is undeclared.
    """
    ours = [column for column in found if column.startswith("_")]
    if ours and source.on_new_columns != "ignore":
        raise ContractError(
            f"{place}: the names of the columns {ours[:5]} start with _, which ingestion keeps for its own. The batch was refused; "
            "nothing was written. Rename them in the files, or pass over them with `new_columns: ignore`."
        )
    return [column for column in found if column not in ours]


def _hint(column: str, candidates: Sequence[str]) -> str:
    """The likeliest new name of a column: the same in other letters, nearly the same, or with something put before or behind it."""
    folded, wanted = {candidate.casefold(): candidate for candidate in candidates}, column.casefold()
    longer = [
        name for name in folded if len(min(name, wanted, key=len)) >= _TELLING and (wanted in name or name in wanted)
    ]
    near = next(iter([*get_close_matches(wanted, folded, n=1), *longer]), None)
    return f"; renamed to {folded[near]}?" if near else ""


def text_of(column: str) -> str:
    """The column with the text that a column's values are made from."""
    return f"_text_{column}"


def _null_texts(value: Column, source: "Source") -> Column:
    return F.when(value.cast("string").isin(source.null_values), F.lit(None)).otherwise(value)


def type_values(value: Column, rule: "Rule") -> Column:
    """A column's text, or what a typed source has, as the type that the contract asks for; null where it is no such value."""
    if rule.type == "string":
        return value.cast("string")
    typed = value.try_cast(rule.type)
    if rule.format is not None:
        typed = F.try_to_timestamp(value.cast("string"), F.lit(rule.format)).cast(rule.type)
    if rule.type == "date":
        return F.when(F.year(typed).between(*_YEARS), typed)
    # "NaN" and "Infinity" are doubles to Spark, and would poison every sum.
    return F.when(F.abs(typed) < float("inf"), typed) if rule.type == "double" else typed


def find_severities(source: "Source") -> dict[str, "Severity"]:
    """What each rule asks for, by its reason.

    Not among them are the reasons of keys and of readers: such a row has no place in the table at all.
    """
    of_columns = {
        reason: rule.on_violation
        for column, rule in source.columns.items()
        for reason, _ in _list_rules_of(column, rule)
    }
    of_columns |= {
        reference_reason(column, rule): rule.on_violation
        for column, rule in source.columns.items()
        if rule.references is not None
    }
    of_rows = {f"expect: {wanted.rule}": wanted.on_violation for wanted in source.expect}
    return {reason: severity or source.on_violation for reason, severity in (of_columns | of_rows).items()}


def reference_reason(column: str, rule: "Rule") -> str:
    """The reason of a row whose value is not in the table that it refers to."""
    return f"{column}: is not in {rule.references}"


Rules = list[tuple[str, Column]]
"""Reasons, each with what is true of a row that it is the reason for."""


def _list_column_rules(source: "Source") -> Rules:
    return [found for column, rule in source.columns.items() for found in _list_rules_of(column, rule)]


def _list_rules_of(column: str, rule: "Rule") -> Rules:
    text, typed = F.col(text_of(column)), F.col(column)
    found: Rules = []
    if not rule.nullable:
        found.append((f"{column}: is null", text.isNull() & typed.isNull()))
    if rule.type != "string":
        found.append((f"{column}: is no {rule.type}", text.isNotNull() & typed.isNull()))
    if rule.type == "timestamp":
        first, last = PANDAS_YEARS
        found.append((f"{column}: is outside {first} … {last}", ~F.year(typed).between(first, last)))
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
    return [F.when(violated, F.lit(reason)) for reason, violated in rules]


def _comment(rule: "Rule") -> dict[str, str]:
    return {"comment": rule.comment} if rule.comment else {}


def hash_contract(source: "Source") -> str:
    """Hash of what the rows must hold and are taken from; where that lies, how it is reached, and comments are no part of it.

    What is left at its default is no part of it either, so that a key that a later release adds changes no hash.
    """
    kept = {"jdbc": {"table", "query", "high_water"}, "delta": {"changes"}}
    asked = source.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    values = {
        key: value for key, value in asked.items() if key not in {"path", "contract", "python", "description", *kept}
    }
    values["columns"] = {name: {**rule, "comment": None} for name, rule in values["columns"].items()}
    for section, keys in kept.items():
        values[section] = {key: value for key, value in (asked.get(section) or {}).items() if key in keys}
    return hash_config(values)


@contextmanager
def blaming_expressions(source: str) -> Iterator[None]:
    """Turn Spark's refusal of a value or a name in the user's SQL into an error of the user's."""
    from py4j.protocol import Py4JJavaError

    try:
        yield
    except (PySparkException, Py4JJavaError) as error:
        condition = _find_condition(error)
        if condition is None or condition.startswith(("FAILED_READ_FILE", "PYTHON_EXCEPTION")):
            raise
        raise ContractError(
            f"source {source}: an expression in `derive`, `expect` or `deleted_when` failed with {condition}. Nothing was written. Where a "
            "value can be bad, the try_ functions (try_cast, try_to_timestamp, try_divide, …) give null instead of failing."
        ) from error


def _find_condition(error: Exception) -> str | None:
    """What Spark calls it. Where several parts of a job fail at once, pyspark has no error of its own, and the text names them all."""
    if isinstance(error, PySparkException):
        return error.getCondition()
    named = _CONDITION.findall(str(error).partition(_SEVERAL)[2])
    return named[0] if named else None
