"""Where each column of a model comes from when an application asks: the request, an entity column, or the online store. Pure.

A derived column is Spark SQL, which nothing but Spark computes exactly. So the request brings it; except for one that only gives
another column a second name (`destination: dest`), whose value is that column's own.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.features import feature_name

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.models import PackagedModel

_BARE_NAME = re.compile(r"`?([A-Za-z_][A-Za-z0-9_]*)`?")
_LITERALS = frozenset({"null", "true", "false"})
_NO_NUMBERS = ("NaN", "Infinity", "-Infinity")
_KINDS = {"numeric": "number", "categorical": "text"}
WORDS = {"number": "a number", "text": "a text", "boolean": "true or false"}


@dataclass(frozen=True)
class AskedColumn:
    """A column that the model needs.

    Attributes:
        name: its name.
        kind: `number`, `text` or `boolean`.
        given_as: under which names a row may bring it; the first that is there counts.
        view: the view that has it, where the row does not bring it; None where the row must.
        column: its name in the view.
        sql: how Spark derives it, where it does.
    """

    name: str
    kind: str
    given_as: tuple[str, ...]
    view: str | None = None
    column: str = ""
    sql: str | None = None

    def is_given(self, row: Mapping[str, Any]) -> bool:
        """Whether a row brings it."""
        return any(name in row for name in self.given_as)

    def read(self, row: Mapping[str, Any], features: Mapping[str, Mapping[str, Any]]) -> Any:
        """Its value as a number, a text or a truth; None where it is missing.

        Args:
            row: what the request brings.
            features: what was looked up, by view.

        Raises:
            ValueError: it is not there, or of another type.
        """
        name = next((name for name in self.given_as if name in row), None)
        if name is not None:
            return read_value(self.kind, row[name], place=name)
        found = features.get(self.view or "", {})
        if self.column not in found:
            raise ValueError(f"{self._show()} is lacking{self._explain()}")
        return read_value(self.kind, found[self.column], place=self.name)

    def _show(self) -> str:
        return " or ".join(f"`{name}`" for name in self.given_as)

    def _explain(self) -> str:
        if self.view is not None:
            return (
                f": features_{self.view} as published has no column {self.column}; publish it again, or bring the value"
            )
        return "" if self.sql is None else f": it is `{' '.join(self.sql.split())}` in Spark, so the request brings it"


def plan_columns(use_case: "UseCase", model: "PackagedModel") -> tuple[AskedColumn, ...]:
    """Where each column that a model needs comes from."""
    kinds: dict[str, str] = {column.name: column.kind for column in (model.family.columns if model.family else ())}
    kinds |= {column.name: _KINDS[column.kind] for column in model.encoder.columns}
    served = set(use_case.served_views())
    looked_up = {
        feature_name(view, column): (view, column)
        for view in use_case.dataset.features
        if view in served
        for column in use_case.features[view].column_names()
    }
    return tuple(_plan(use_case, name, kinds[name], looked_up) for name in model.needed_columns)


def _plan(use_case: "UseCase", name: str, kind: str, looked_up: Mapping[str, tuple[str, str]]) -> AskedColumn:
    names = [name]
    while (source := _find_source(use_case, names[-1], looked_up)) is not None:
        names.append(source)
    derived = use_case.dataset.derived
    if names[-1] in looked_up and names[-1] not in derived:
        view, column = looked_up[names[-1]]
        return AskedColumn(name, kind, tuple(names), view, column)
    return AskedColumn(name, kind, tuple(names), sql=derived.get(names[-1]))


def _find_source(use_case: "UseCase", name: str, looked_up: Mapping[str, tuple[str, str]]) -> str | None:
    """The column whose value a derived one is, as it stands; None where it is more than that."""
    derived = use_case.dataset.derived
    bare = _BARE_NAME.fullmatch(derived.get(name, "").strip())
    if bare is None or bare[1].lower() in _LITERALS:
        return None
    order, source = list(derived), bare[1]
    if source in derived:  # only a column above it is seen by it
        return source if order.index(source) < order.index(name) else None
    return source if source in looked_up or source in use_case.dataset.entity else None


def read_value(kind: str, value: Any, *, place: str) -> Any:
    """A value as JSON has it, as the model takes it.

    Raises:
        ValueError: it is of another type.
    """
    if value is None:
        return None
    readers: Mapping[str, Callable[[Any], Any]] = {"number": _read_number, "text": _read_text, "boolean": _read_truth}
    try:
        return readers[kind](value)
    except (ValueError, OverflowError, TypeError) as error:
        raise ValueError(f"`{place}`: expected {WORDS[kind]} or null, found {_shorten(value)}") from error


def _read_number(value: Any) -> float:
    if isinstance(value, str) and value not in _NO_NUMBERS:
        raise ValueError
    return float(value)


def _read_text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    value.encode()  # half a surrogate pair is no text; UnicodeEncodeError is a ValueError
    return value


def _read_truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _shorten(value: Any) -> str:
    text = repr(value) if not isinstance(value, int) or value.bit_length() < 300 else "a number beyond all doubles"  # noqa: PLR2004
    return text if len(text) <= 80 else f"{text[:80]}…"  # noqa: PLR2004  # enough to recognise it
