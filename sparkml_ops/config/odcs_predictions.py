"""What published predictions promise, in their contract: keys, columns that are never null, limits of values."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from open_data_contract_standard.model import DataQuality, SchemaObject, SchemaProperty

from sparkml_ops.config.promises import Promise, list_promises

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

CURRENT = "predictions_current"


def lay_promises(table: SchemaObject, use_case: "UseCase") -> SchemaObject:
    """The table's description with what is promised of each column, and that a decision has one row."""
    promises, keys = list_promises(use_case), use_case.dataset.key_columns()
    columns = [_promise(column, promises, keys) for column in table.properties or []]
    unique = DataQuality(type="library", metric="duplicateValues", arguments={"properties": list(keys)}, mustBe=0)
    told = "The champion's published prediction, one row per decision"
    return table.model_copy(update={"properties": columns, "quality": [unique], "description": told})


def _promise(column: SchemaProperty, promises: Sequence[Promise], keys: Sequence[str]) -> SchemaProperty:
    mine = [promise for promise in promises if promise.column == column.name]
    limits = next((promise.between for promise in mine if promise.between), None)
    values = next((promise.among for promise in mine if promise.among), ())
    laid: dict[str, Any] = {"required": any(promise.is_required for promise in mine)}
    if column.name in keys:
        laid |= {"primaryKey": True, "primaryKeyPosition": list(keys).index(str(column.name)) + 1}
    if limits is not None:
        laid["logicalTypeOptions"] = {"minimum": limits[0], "maximum": limits[1]}
    if values:
        allowed = {"validValues": list(values)}
        laid["quality"] = [DataQuality(type="library", metric="invalidValues", arguments=allowed, mustBe=0)]
    return column.model_copy(update=laid)
