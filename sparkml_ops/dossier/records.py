"""The rows of the ledgers that concern a prediction: its batch, its run, the training set, and what consumers read today."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from sparkml_ops.dossier.choose import BATCHES
from sparkml_ops.dossier.facts import ScoredRow
from sparkml_ops.dossier.keys import make_literal
from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.features import describe_training_set
from sparkml_ops.lake import Lake, quote_identifier, read_table, table_exists
from sparkml_ops.lake.gone_files import require_files

if TYPE_CHECKING:
    from pyspark.sql import Column

RUNS, CURRENT = "runs", "predictions_current"
_BATCH_COLUMNS = ("status", "rows", "positives", "mean_prediction", "checks", "predictions_version", "current_version")
_BATCH_TIMES = ("scored_at", "published_at")
_RUN_COLUMNS = ("run_id", "status", "user", "code_version", "config_hash", "error")
_CURRENT_COLUMNS = ("model_version", "batch_id", "prediction", "as_of", "scored_at")


def read_batch(lake: Lake, row: ScoredRow) -> Mapping[str, Any] | None:
    """The row of `prediction_batches`; None where there is none."""
    named = {"batch_id": row.batch_id, "model_version": row.model_version, "role": row.role}
    found = _read_newest(lake, BATCHES, named, by="scored_at")
    return None if found is None else {name: found.get(name) for name in (*_BATCH_COLUMNS, *_BATCH_TIMES)}


def read_run(lake: Lake, row: ScoredRow) -> Mapping[str, Any] | None:
    """The row of `runs` of the step that scored it, with what it read by table; None where there is none."""
    found = _read_newest(lake, RUNS, {"run_id": row.run_id, "step": "score"}, by="ended_at")
    if found is None:
        return None
    inputs = {use["table"]: use["version"] for use in found["inputs"] or ()}
    return {**{name: found.get(name) for name in _RUN_COLUMNS}, "started_at": found["started_at"], "inputs": inputs}


def read_current(lake: Lake, row: ScoredRow, *, key: Sequence[str]) -> Mapping[str, Any] | None:
    """What consumers read of the decision today; None where nothing."""
    named = {name: row.entity[name] for name in key if name in row.entity}
    found = _read_newest(lake, CURRENT, named, by="as_of")
    return None if found is None else {name: found[name] for name in _CURRENT_COLUMNS}


def read_training_set_facts(lake: Lake, version: str) -> tuple[Mapping[str, Any] | None, str]:
    """The row of `training_sets`, and what of it is not there any more.

    Args:
        lake: where the tables are.
        version: as the model version has it, or a decision about it; empty where that is not recorded.
    """
    if not version:
        return None, "the training set: neither the model version nor a decision about it names one"
    try:
        found = describe_training_set(lake, version)
    except TableNotFoundError as error:
        return None, f"training set {version}: {error}"
    facts = {
        **{name: getattr(found, name) for name in ("version", "table", "table_version", "inputs", "rows", "positives")},
        **{name: getattr(found, name) for name in ("content_hash", "definition_hash", "as_of", "run_id", "created_at")},
        "definition": json.loads(found.definition),
    }
    try:
        require_files(lake, found.table, version=found.table_version)
    except TableNotFoundError as error:
        return facts, f"the rows of training set {version}: {error}"
    return facts, ""


def tell_utc(at: datetime) -> datetime:
    """An instant of Spark or Arrow, in UTC."""
    return at.astimezone(UTC)


def _read_newest(lake: Lake, table: str, named: Mapping[str, Any], *, by: str) -> dict[str, Any] | None:
    if not table_exists(lake, table):
        return None
    rows = read_table(lake, table)
    for name, value in named.items():
        rows = rows.where(_equals(rows.schema[name].dataType, name, value))
    found = rows.orderBy(F.desc(by)).limit(1).toArrow().to_pylist()
    return {name: tell_utc(v) if isinstance(v, datetime) else v for name, v in found[0].items()} if found else None


def _equals(kind: Any, name: str, value: Any) -> "Column":
    return F.col(quote_identifier(name)).eqNullSafe(make_literal(value, kind))
