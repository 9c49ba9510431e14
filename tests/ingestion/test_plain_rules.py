"""What Arrow holds values against, and what it leaves to Spark."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from sparkml_ops.config.sources import Column
from sparkml_ops.ingestion.readers.plain_rules import flag_kept, share_rule
from sparkml_ops.ingestion.readers.plain_values import arrow_type, type_texts


def flags(values: list[Any], *, is_key: bool = False, **rule: Any) -> list[bool]:
    """Which values keep a rule that Arrow takes on whole."""
    shared, left = share_rule(Column.model_validate(rule), is_key=is_key)
    assert left is None
    kept = flag_kept(pa.array(values, arrow_type(shared.kind)), shared)
    return [True] * len(values) if kept is None else kept.to_pylist()


@pytest.mark.parametrize(
    ("rule", "values", "kept"),
    [
        ({"type": "int", "between": [1, 3], "nullable": True}, [0, 1, 3, 4, None], [False, True, True, False, True]),
        ({"type": "int", "between": [1, 3]}, [1, 3, None], [True, True, False]),
        ({"type": "int", "between": [0.5, 2.5]}, [0, 1, 2, 3], [False, True, True, False]),
        ({"type": "double", "between": [-0.5, 2]}, [-0.5, -0.51, 2.0, 2.1], [True, False, True, False]),
        ({"type": "string", "length": [1, 2]}, ["", "🙂é", "abc"], [False, True, False]),
        ({"type": "string", "in": ["a", "b"], "nullable": True}, ["a", "A", None], [True, False, True]),
        ({"type": "string", "in": ["a"], "length": [2, 2]}, ["a", "bb"], [False, False]),
        ({"type": "boolean"}, [True, None], [True, False]),
        ({"type": "long", "between": [0, 5]}, [None, None], [False, False]),
        ({"type": "decimal(5,2)"}, [None], [False]),
    ],
)
def test_values_are_held_against_rules(rule: dict[str, Any], values: list[Any], kept: list[bool]) -> None:
    assert flags(values, **rule) == kept


def test_instants_are_those_that_pandas_holds() -> None:
    within = [datetime(1678, 1, 1, tzinfo=UTC), datetime(2261, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)]
    beyond = [datetime(1677, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), datetime(2262, 1, 1, tzinfo=UTC)]
    assert flags([*within, *beyond], type="timestamp") == [True, True, False, False]


def test_a_key_is_never_null() -> None:
    assert flags([1, None], is_key=True, type="long", nullable=True) == [True, False]


@pytest.mark.parametrize(
    "rule",
    [
        {"type": "long", "between": [0, 2**53]},
        {"type": "int", "between": [0, 3_000_000_000]},
        {"type": "double", "between": [0, 2**53]},
        {"type": "decimal(5,2)", "between": [0, 1]},
        {"type": "int", "in": [1, 2]},
        {"type": "string", "matches": "a+"},
        {"type": "int", "matches": "[0-9]+"},
        {"type": "date", "format": "d/M/yyyy"},
    ],
)
def test_what_is_not_the_same_to_both_is_left_to_spark(rule: dict[str, Any]) -> None:
    asked = Column.model_validate(rule)
    left = share_rule(asked, is_key=False)[1]
    assert left is not None
    assert (left.between, left.allowed, left.matches, left.format) == (
        asked.between,
        asked.allowed,
        asked.matches,
        asked.format,
    )


@pytest.mark.parametrize(("kind", "texts", "sure"), [
    ("decimal(5,2)", ["123.45", "-1", "1.2", "1234", "1.234", "", ".5", "1e2"], [True, True, True, False, False, False, False, False]),
    ("decimal(2,2)", ["0.25", "-0.1", "1.0", "0"], [True, True, False, True]),
    ("decimal(3,0)", ["123", "1.0", "1234"], [True, False, False]),
])  # fmt: skip
def test_decimals_are_sure_where_nothing_is_rounded(kind: str, texts: list[str], sure: list[bool]) -> None:
    values, is_sure = type_texts(pa.array(texts), kind)
    assert is_sure is not None
    assert is_sure.to_pylist() == sure
    assert [value is not None for value in values.to_pylist()] == sure
