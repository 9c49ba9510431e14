"""Contracts that can be kept."""

import re
from collections.abc import Iterator

from sparkml_ops.config.mistakes import Finding, list_names, show_value
from sparkml_ops.config.parts import Parts
from sparkml_ops.config.places import KeyPath
from sparkml_ops.config.rules.merges import check_merge
from sparkml_ops.config.rules.scope import Scope, check_name, check_names, check_row_expression, find_twins
from sparkml_ops.config.rules.source_kinds import check_kind
from sparkml_ops.config.sources import Column, Source

_NUMBERS = ("int", "long", "double", "decimal")
_MOMENTS = ("date", "timestamp")
_NO_DELIMITERS = ('"', "\\", "\n", "\r", "\0", "\ufeff")
_JAVA_ONLY = ("bad escape", "unknown extension")  # what Python's regular expressions lack and Java's, which judge, know


def check_sources(parts: Parts) -> Iterator[Finding]:
    """Everything about the sources that needs more than one key to be judged."""
    for name, twin in find_twins(parts.sources):
        yield Finding(("sources", name), f"differs from {twin} in the case of letters alone", "another name")
    for name, source in parts.sources.items():
        path: KeyPath = ("sources", name)
        if name.startswith("clean_") and name.removeprefix("clean_") in parts.sources:
            yield Finding(path, f"the name of the clean table of {name.removeprefix('clean_')}", "another name")
        if source is not None:
            yield from check_kind(path, source)
            yield from _check_names(path, source)
            yield from _check_expressions(path, source)
            yield from _check_freshness((*path, "freshness"), source)
            if source.skew is not None:
                contract = Scope("the contract", source.column_names())
                yield from check_names((*path, "skew", "of"), source.skew.of, contract)
            if source.merge is not None:
                yield from check_merge(path, source, source.merge)
            for column, rule in source.columns.items():
                yield from _check_column((*path, "columns", column), rule)


def _check_names(path: KeyPath, source: Source) -> Iterator[Finding]:
    groups = [("columns", name) for name in source.columns] + [("derive", name) for name in source.derive]
    for group, name in groups:
        if name.startswith("_"):
            yield Finding(
                (*path, group, name), "a name that starts with _, which ingestion keeps for itself", "another name"
            )
    for name in source.derive:
        if name in source.columns:
            yield Finding((*path, "derive", name), "the name of a declared column", "a new name")
    for name, twin in find_twins([*source.columns, *source.derive]):
        group = "columns" if name in source.columns else "derive"
        yield Finding((*path, group, name), f"differs from {twin} in the case of letters alone", "another name")
    yield from check_names((*path, "key"), source.key, Scope("the contract", source.column_names()))
    for at, key in enumerate(source.key):
        if key in source.columns and source.columns[key].nullable:
            yield Finding((*path, "key", at), f"{show_value(key)} is declared nullable", "columns that are never null")
    if source.delimiter in _NO_DELIMITERS:
        yield Finding(
            (*path, "delimiter"),
            f"{show_value(source.delimiter)} cannot divide values",
            "a sign that no value is written with",
        )
    declared = Scope("the declared columns", list(source.columns))
    yield from check_names((*path, "partition_columns"), source.partition_columns, declared)


def _check_expressions(path: KeyPath, source: Source) -> Iterator[Finding]:
    known = list(source.columns)
    for name, sql in source.derive.items():
        title = "the contract, or derived above it"
        yield from check_row_expression((*path, "derive", name), sql, Scope(title, known))
        known.append(name)
    for at, expectation in enumerate(source.expect):
        yield from check_row_expression((*path, "expect", at), expectation.rule, Scope("the contract", known))


def _check_freshness(path: KeyPath, source: Source) -> Iterator[Finding]:
    if source.freshness is None:
        return
    of = source.freshness.of
    moments = [name for name, rule in source.columns.items() if rule.type in _MOMENTS]
    yield from check_name(
        (*path, "of"), of, Scope("the dates and timestamps of the contract", [*moments, *source.derive])
    )


def _check_column(path: KeyPath, rule: Column) -> Iterator[Finding]:
    kind = rule.type.partition("(")[0]
    if rule.between is not None and kind not in _NUMBERS:
        yield Finding((*path, "between"), f"bounds for a {rule.type}", f"a type of {list_names(_NUMBERS)}")
    elif rule.between is not None and rule.between[0] > rule.between[1]:
        low, high = rule.between
        yield Finding((*path, "between"), f"found [{low:g}, {high:g}]", "the lowest value before the highest")
    if rule.length is not None and kind != "string":
        yield Finding((*path, "length"), f"a length for a {rule.type}", "a type of string")
    elif rule.length is not None and rule.length[0] > rule.length[1]:
        yield Finding((*path, "length"), f"found {show_value(rule.length)}", "the fewest characters before the most")
    if rule.format is not None and kind not in _MOMENTS:
        yield Finding((*path, "format"), f"a datetime pattern for a {rule.type}", f"a type of {list_names(_MOMENTS)}")
    if rule.matches is not None:
        yield from _check_pattern((*path, "matches"), rule.matches)
    yield from _check_allowed((*path, "in"), rule, kind)


def _check_allowed(path: KeyPath, rule: Column, kind: str) -> Iterator[Finding]:
    if rule.allowed is None:
        return
    if kind not in {"string", *_NUMBERS}:
        yield Finding(path, f"a list of values for a {rule.type}", f"a type of string, {list_names(_NUMBERS)}")
        return
    wanted: tuple[type, ...] = {"string": (str,), "int": (int,), "long": (int,)}.get(kind, (int, float))
    words = {"string": "text", "int": "whole numbers", "long": "whole numbers"}.get(kind, "numbers")
    for at, value in enumerate(rule.allowed):
        if not isinstance(value, wanted):
            yield Finding((*path, at), f"found {show_value(value)}", f"{words}, since the type is {rule.type}")


def _check_pattern(path: KeyPath, pattern: str) -> Iterator[Finding]:
    try:
        re.compile(pattern)
    except re.error as error:
        if not error.msg.startswith(_JAVA_ONLY):
            yield Finding(path, f"{show_value(pattern)} is no regular expression: {error.msg}", None)
