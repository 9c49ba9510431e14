"""One prediction -> everything that is recorded about it, from the ledgers, the tables at their versions, and the registry.

Nothing is guessed: what is not recorded, or not there any more, is named, and the rest is told all the same.
"""

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.use_case import hash_config
from sparkml_ops.dossier.answer import ask_again
from sparkml_ops.dossier.choose import PREDICTIONS, Chosen, Question, choose_row
from sparkml_ops.dossier.decisions import find_training_set, read_decisions
from sparkml_ops.dossier.definition import choose_definition, list_younger_tables
from sparkml_ops.dossier.facts import LookedUpView, RowExplanation, ScoredRow
from sparkml_ops.dossier.keys import read_key, suggest_column
from sparkml_ops.dossier.looked_up import look_up_row
from sparkml_ops.dossier.model import read_model
from sparkml_ops.dossier.origins import find_request_origins, find_view_origins
from sparkml_ops.dossier.records import read_batch, read_current, read_run, read_training_set_facts
from sparkml_ops.errors import ConfigError
from sparkml_ops.lake import Lake, read_table

if TYPE_CHECKING:
    from pyspark.sql.types import StructField

    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)


def explain_row(  # noqa: PLR0913  # as the options of the verb are
    use_case: "UseCase",
    lake: Lake,
    key: Sequence[str] | Mapping[str, Any],
    *,
    batch: str | None = None,
    role: str | None = None,
    version: int | None = None,
    as_of: datetime | None = None,
) -> RowExplanation:
    """Tell everything that is recorded about one prediction; writes nothing.

    Args:
        use_case: whose prediction.
        lake: where the tables are.
        key: the entity: a mapping by column, `column=value` pairs, or plain values in the order of `dataset.key`.
        batch: the batch; by default the newest published one that has the entity.
        role: champion or challenger, where several scored it.
        version: of the model, where several scored it.
        as_of: the moment of the decision, where an entity has several; UTC if it has no zone.

    Raises:
        ConfigError: there is no such row, or more than one.
        TableNotFoundError: nothing was scored yet.
    """
    entity = _list_entity(use_case, lake)
    at = as_of.replace(tzinfo=UTC) if as_of is not None and as_of.tzinfo is None else as_of
    named = read_key(key, entity, key=use_case.dataset.key_columns())
    question = Question(named, batch, role, version, at)
    chosen = choose_row(lake, question, entity=entity, hint=suggest_column(key, [one.name for one in entity]))
    return _gather(use_case, lake, chosen)


def _list_entity(use_case: "UseCase", lake: Lake) -> "list[StructField]":
    columns = {column.name: column for column in read_table(lake, PREDICTIONS).schema}
    lacking = [name for name in use_case.dataset.entity if name not in columns]
    if lacking:
        raise ConfigError(
            f"{PREDICTIONS} has no column {lacking[0]}, which dataset.entity declares: its rows were scored by another configuration. "
            "Use the file of then."
        )
    return [columns[name] for name in use_case.dataset.entity]


def _gather(use_case: "UseCase", lake: Lake, chosen: Chosen) -> RowExplanation:
    row = chosen.row
    batch, run, decisions = read_batch(lake, row), read_run(lake, row), read_decisions(lake, row)
    model, packaged = read_model(use_case.environment, row)
    named = model.training_set or find_training_set(decisions, row.model_version)
    training_set, gone = read_training_set_facts(lake, named)
    definition = None if training_set is None else json.dumps(training_set["definition"])
    then, whose, unsure = choose_definition(use_case, lake, row, definition=definition)
    younger = list_younger_tables(lake, row)
    versions = {table: at for table, at in row.feature_versions.items() if table not in younger}
    looked_up = look_up_row(then, lake, chosen.record, versions=versions)
    views = tuple(replace(v, origins=find_view_origins(then, lake, v, row=row)) for v in looked_up.views)
    asked = {} if run is None else {t: at for t, at in run["inputs"].items() if t not in row.feature_versions}
    missing = [
        *_list_unrecorded(use_case, row, batch=batch, run=run),
        *(note for note in (model.note, gone, decisions.note) if note),
        *unsure,
        *younger.values(),
        *looked_up.missing,
        *_list_gone_origins(views),
    ]
    logger.info("batch %s, version %d: %d things are missing", row.batch_id, row.model_version, len(missing))
    return RowExplanation(
        use_case=use_case.name,
        row=row,
        beside=chosen.beside,
        current=read_current(lake, row, key=use_case.dataset.key_columns()),
        batch=batch,
        run=run,
        model=model,
        decisions=decisions,
        training_set=training_set,
        request=find_request_origins(use_case, lake, asked, row=row),
        views=views,
        derived=looked_up.derived,
        definition=whose,
        answer=ask_again(lake, row, features=looked_up.features, model=packaged),
        missing=tuple(missing),
    )


def _list_unrecorded(use_case: "UseCase", row: ScoredRow, *, batch: object, run: Mapping[str, Any] | None) -> list[str]:
    told = []
    if batch is None:
        told.append(
            f"prediction_batches has no row of batch {row.batch_id}, version {row.model_version}, role {row.role}"
        )
    if run is None:
        told.append(f"runs has no row of the step score of run {row.run_id}: who scored, by which code, from what")
    elif run["config_hash"] != hash_config(use_case.scoring):
        told.append(
            f"the section scoring as it was: it has changed since run {row.run_id}, and today's tells what was asked about"
        )
    return told


def _list_gone_origins(views: Sequence[LookedUpView]) -> list[str]:
    """Versions of clean tables that were meant, and cannot be read."""
    return [
        f"{origin.table}@v{origin.version}, of {view.table}: {origin.note}"
        for view in views
        for origin in view.origins
        if origin.matched_by and origin.rows is None
    ]
