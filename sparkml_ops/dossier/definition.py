"""By whose definition of the views a row is looked up again: the one that the tables were built by."""

from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import TYPE_CHECKING, Any

from sparkml_ops.dossier.facts import ScoredRow
from sparkml_ops.dossier.looked_up import READ_FAILURES
from sparkml_ops.features import features_table, hash_view, read_built_at, with_definition
from sparkml_ops.lake import Lake, read_history

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

CLOCKS_DIFFER_BY = timedelta(minutes=1)
"""Of the machine that scores and of the storage that dates a commit."""


def choose_definition(
    use_case: "UseCase", lake: Lake, row: ScoredRow, *, definition: str | None
) -> tuple["UseCase", str, tuple[str, ...]]:
    """The use case to look up by, whose definition that is, and what does not fit.

    Today's, where its views are those that were looked up, by the hash that each build has noted; else the training set's, where its are.

    Args:
        use_case: as it is today.
        lake: where the tables are.
        row: the prediction.
        definition: of the training set, as JSON; None where there is none.
    """
    built = _read_hashes(lake, row.feature_versions)
    differs = _list_differences(use_case, row, built)
    if not differs:
        return use_case, "today's configuration", ()
    changed = f"changed since: {', '.join(differs)}"
    learned = None if definition is None else _read_definition(use_case, definition)
    if learned is not None and not _list_differences(learned, row, built):
        return learned, f"the training set's, since today's configuration is another one ({changed})", ()
    told = f"the definition that was looked up by: {changed}; today's was taken, and its answers may be others"
    return use_case, f"today's configuration, which is another one ({changed})", (told,)


def _read_definition(use_case: "UseCase", definition: str) -> "UseCase | None":
    """None where another release wrote it in words that this one does not know."""
    try:
        return with_definition(use_case, definition)
    except (ValueError, KeyError, TypeError):
        return None


def list_younger_tables(lake: Lake, row: ScoredRow) -> dict[str, str]:
    """Features tables whose recorded version was written after the scoring, each with a word on it: other tables of the same name."""
    found: dict[str, str] = {}
    for table, version in row.feature_versions.items():
        try:
            history = read_history(lake, table)
        except READ_FAILURES:
            continue  # the look-up tells that it is gone
        written = next((entry["timestamp"].astimezone(UTC) for entry in history if entry["version"] == version), None)
        if written is not None and written > row.scored_at + CLOCKS_DIFFER_BY:
            at = written.isoformat(timespec="seconds")
            found[table] = f"{table}@v{version}: another table has its name now, whose version was written on {at}"
    return found


def _read_hashes(lake: Lake, versions: Mapping[str, int]) -> dict[str, str]:
    """Hash of the definition that each table was built by; without those that nobody noted."""
    found: dict[str, str] = {}
    for table, version in versions.items():
        try:
            built = read_built_at(lake, table.removeprefix("features_"), version)
        except READ_FAILURES:
            continue
        if built is not None:
            found[table] = built.definition
    return found


def _list_differences(use_case: "UseCase", row: ScoredRow, built: Mapping[str, Any]) -> list[str]:
    """Tables whose views are others in the use case, or not there, or were not looked up."""
    mine = {features_table(name): hash_view(use_case.features[name]) for name in use_case.dataset.features}
    other = {*mine} ^ {*row.feature_versions}
    return sorted(other | {table for table, found in built.items() if table in mine and mine[table] != found})
