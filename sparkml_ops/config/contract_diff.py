"""What a change of a contract means to those who read the tables."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from open_data_contract_standard.model import OpenDataContractStandard, SchemaObject, SchemaProperty


@dataclass(frozen=True)
class Change:
    """One change.

    Attributes:
        effect: breaks: a query that ran may fail or mean something else; may_break: values come that never came; harmless.
        place: the table, or table and column.
        what: the change in words.
    """

    effect: Literal["breaks", "may_break", "harmless"]
    place: str
    what: str


def compare_contracts(old: "OpenDataContractStandard", new: "OpenDataContractStandard") -> list[Change]:
    """All changes from one contract to another, the worst first."""
    before = {table.name or "": table for table in old.schema_ or []}
    after = {table.name or "": table for table in new.schema_ or []}
    changes = [Change("breaks", name, "the table is gone") for name in before if name not in after]
    changes += [Change("harmless", name, "a new table") for name in after if name not in before]
    for name, table in before.items():
        if name in after:
            changes += _compare_tables(name, table, after[name])
    order = ("breaks", "may_break", "harmless")
    return sorted(changes, key=lambda change: (order.index(change.effect), change.place))


def _compare_tables(name: str, old: "SchemaObject", new: "SchemaObject") -> Iterator[Change]:
    before = {column.name or "": column for column in old.properties or []}
    after = {column.name or "": column for column in new.properties or []}
    for column, known in before.items():
        if column not in after:
            yield Change("breaks", f"{name}.{column}", "the column is gone")
        else:
            yield from _compare_columns(f"{name}.{column}", known, after[column])
    for column in after:
        if column not in before:
            yield Change("harmless", f"{name}.{column}", "a new column")
    if _list_key(before.values()) != _list_key(after.values()):
        was, now = _list_key(before.values()), _list_key(after.values())
        yield Change("breaks", name, f"a row was named by {_show(was)}, now by {_show(now)}")
    gone = _list_rules(old) - _list_rules(new)
    yield from (Change("may_break", name, f"no longer promised: {rule}") for rule in sorted(gone))
    come = _list_rules(new) - _list_rules(old)
    yield from (Change("harmless", name, f"promised now: {rule}") for rule in sorted(come))


def _compare_columns(place: str, old: "SchemaProperty", new: "SchemaProperty") -> Iterator[Change]:
    if old.physicalType != new.physicalType:
        yield Change("breaks", place, f"the type was {old.physicalType}, now {new.physicalType}")
    if old.required and not new.required:
        yield Change("breaks", place, "it was never null, and may be now")
    if new.required and not old.required:
        yield Change("harmless", place, "it may no longer be null")
    options_before, options_after = old.logicalTypeOptions or {}, new.logicalTypeOptions or {}
    for lowest in ("minimum", "minLength"):
        yield from _compare_limit(place, lowest, options_before.get(lowest), options_after.get(lowest), sign=1)
    for highest in ("maximum", "maxLength"):
        yield from _compare_limit(place, highest, options_before.get(highest), options_after.get(highest), sign=-1)
    if options_before.get("pattern") != options_after.get("pattern"):
        yield Change(
            "may_break", place, f"the pattern was {options_before.get('pattern')}, now {options_after.get('pattern')}"
        )
    yield from _compare_values(place, _list_values(old), _list_values(new))


def _compare_limit(place: str, name: str, old: Any, new: Any, *, sign: int) -> Iterator[Change]:
    if old == new:
        return
    is_wider = new is None or (old is not None and sign * new < sign * old)
    effect: Literal["may_break", "harmless"] = "may_break" if is_wider else "harmless"
    yield Change(effect, place, f"{name} was {_show(old)}, now {_show(new)}")


def _compare_values(place: str, old: list[Any] | None, new: list[Any] | None) -> Iterator[Change]:
    if old is None and new is None:
        return
    if old is not None and new is None:
        yield Change("may_break", place, "any value may come now")
        return
    come = [value for value in new or [] if old is not None and value not in old]
    gone = [value for value in old or [] if value not in (new or [])]
    if come:
        yield Change("may_break", place, f"new values: {_show(come)}")
    if gone:
        yield Change("harmless", place, f"values that no longer come: {_show(gone)}")
    if old is None:
        yield Change("harmless", place, f"only these values now: {_show(new)}")


def _list_values(column: "SchemaProperty") -> list[Any] | None:
    found = [rule.arguments.get("validValues") for rule in column.quality or [] if rule.arguments]
    return next((values for values in found if values is not None), None)


def _list_key(columns: Any) -> list[str]:
    keys = [column for column in columns if column.primaryKey]
    return [column.name for column in sorted(keys, key=lambda column: column.primaryKeyPosition or 0)]


def _list_rules(table: "SchemaObject") -> set[str]:
    return {rule.name or rule.query or "" for rule in table.quality or [] if rule.type == "sql" and rule.mustBe == 0}


def _show(value: Any) -> str:
    if value is None:
        return "without limit"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(item) for item in value[:10]) + (", …" if len(value) > 10 else "") or "nothing"  # noqa: PLR2004
    return str(value)
