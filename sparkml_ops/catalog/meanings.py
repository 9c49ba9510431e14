"""What each table is, in words. Pure: the configuration in, comments and properties out."""

from typing import TYPE_CHECKING

from sparkml_ops.config.comments import INGESTION_COMMENTS, comment_source, comment_view
from sparkml_ops.lake.describe import Meaning
from sparkml_ops.lake.upkeep import KEEP_VERSIONS

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

_STEP = {"run_id": "the run; see runs", "step": "the step of the run"}
_QUARANTINE = {
    "raw": "the row as it came",
    "header": "the header line above it",
    "reasons": "every rule that it breaks",
    "line": "its line in the file, from 1",
    **INGESTION_COMMENTS,
}
_LEDGERS: dict[str, tuple[str, dict[str, str]]] = {
    "runs": (
        "One row per step of each run: what it read and wrote by table version, who, when, how long, what went wrong",
        {
            **_STEP,
            "status": "succeeded, refused (its answer was no) or failed",
            "inputs": "tables that were read, by version",
            "outputs": "tables that were written, by version and rows",
            "config_hash": "hash of the configuration that the step depends on",
            "error": "what went wrong; null when nothing did",
            "details": "figures and reasons",
        },
    ),
    "metrics": (
        "One figure per row: profiles, feature statistics, evaluations, slices, backtests, importance (also summed over models of segments), diagnosis, gates, drift, performance, upkeep, audits",
        {
            **_STEP,
            "scope": "what kind of figure",
            "subject": "what it is about: a source, a feature, a model, a table",
            "name": "the metric",
            "value": "null when there was no data",
            "lower": "lower end of the 95 % interval",
            "upper": "upper end of the 95 % interval",
            "threshold": "the limit that it was held against",
        },
    ),
    "alerts": ("A figure that went past its limit", {"message": "what happened, in words"}),
    "promotions": (
        "What was decided about a model version: by whom, when, on what evidence",
        {
            "decision": "promoted, refused, reported, rolled_back, awaiting_approval, shadowed or unshadowed",
            "from_version": "the champion before; of a shadow the shadow before",
            "to_version": "the version that was decided about; null where there is no shadow any more",
            "evidence": "figures of candidate and champion on the same rows, as JSON",
        },
    ),
    "training_sets": (
        "One row per version of the training set, with the Delta version of every input",
        {
            "inputs": "Delta version of every table that it was made from, as JSON",
            "content_hash": "hash of the rows, whatever their order",
            "table_name": "the table with its rows",
            "as_of": "labels had to be mature by then; UTC",
            "labels_until": "labels settled by then were known: as_of, or until when the table of events had everything",
        },
    ),
    "trials": (
        "One row per trial of a search that ended, written as it ended; a search that was killed goes on from them",
        {
            "search_id": "names what was searched: data, definition, estimator, space, seed and code",
            "number": "counts from 0, in the order in which they were proposed",
            "status": "ok, failed or cancelled",
            "loss": "what the search makes small",
            "params": "all parameters, fixed ones too, as JSON",
            "draw": "what was drawn, as JSON: of a choice the position of the option",
            "cause": "why it failed",
            "peak_mb": "the most memory that its worker had while it ran, in megabytes",
        },
    ),
    "prediction_batches": (
        "One row per batch, model version and role: its state, counts and checks",
        {
            "status": "scored, held, published, superseded or rolled_back",
            "predictions_version": "version of predictions that holds its rows",
            "current_version": "version of predictions_current that published it last",
            "rows_refused": "rows of the request beside these, which could not be scored; see prediction_quarantine",
            "history": "every decision about it: when, what it became, by the rules or whom, why, and the version of predictions_current that "
            "came of it",
            "segment_levels": "rows by whose model served them: segment, parent (the segment itself has none), or global, that of all rows; "
            "null of a version without models per segment",
        },
    ),
    "ingested_files": ("Which files belong to which batch", {"batch_id": "the batch", "path": "the file"}),
    "quarantine_decisions": (
        "What was decided about rows in quarantine: replayed or discarded, by whom, why",
        {"decision": "replayed or discarded", "why": "the reason that was given"},
    ),
}
_PREDICTIONS: dict[str, tuple[str, dict[str, str]]] = {
    "predictions": ("Every prediction: batch, model version and role", {}),
    "predictions_current": ("The champion's published prediction, one row per decision", {}),
    "prediction_quarantine": ("Rows of a request that could not be scored, and why", {}),
}
"""Their columns are described where the tables are made."""
_FIXED = _LEDGERS | _PREDICTIONS


def find_kind(table: str) -> str:
    """What kind of table it is: clean, quarantine, features, training set, predictions, ledger or other."""
    prefixes = {"clean_": "clean", "features_": "features", "training_set_": "training set"}
    found = next((kind for prefix, kind in prefixes.items() if table.startswith(prefix)), None)
    if found is not None:
        return found
    if table in _LEDGERS:
        return "ledger"
    if table.startswith("quarantine_"):
        return "quarantine"
    return "predictions" if table in _PREDICTIONS else "other"


def find_owner(use_case: "UseCase", table: str) -> str:
    """Who answers for a table: the view's owner, or the use case's."""
    view = use_case.features.get(table.removeprefix("features_")) if table.startswith("features_") else None
    return (view.owner if view else None) or use_case.owner


def find_meaning(use_case: "UseCase", table: str) -> Meaning | None:
    """Comment, comments of columns and properties of a table; None for one that is not ours."""
    told = _describe(use_case, table)
    if told is None:
        return None
    comment, columns = told
    owner = find_owner(use_case, table)
    properties = {"sparkml_ops.owner": owner} if owner else {}
    if find_kind(table) not in {"ledger", "quarantine"}:
        properties |= KEEP_VERSIONS  # training sets and batches are made again from their versions
    source = use_case.sources.get(table.removeprefix("clean_")) if table.startswith("clean_") else None
    if source is not None:
        properties["sparkml_ops.primary_key"] = ", ".join(source.key)
    # A row without a key never gets past the contract; of other columns a rule may only warn.
    return Meaning(comment, columns, properties, never_null=tuple(source.key) if source else ())


def _describe(use_case: "UseCase", table: str) -> tuple[str, dict[str, str]] | None:
    if table in _FIXED:
        return _FIXED[table]
    kind = find_kind(table)
    name = table.partition("_")[2]
    if kind == "clean" and name in use_case.sources:
        source = use_case.sources[name]
        return source.description or f"Rows of the source {name} that keep their contract", comment_source(source)
    if kind == "quarantine" and name in use_case.sources:
        return f"Rows of the source {name} that do not keep their contract, as they came, with the reasons", _QUARANTINE
    if kind == "features" and name in use_case.features:
        view = use_case.features[name]
        return view.description or f"What is known about {', '.join(view.entity)} as time goes by", comment_view(view)
    if kind == "training set":
        columns = {"split": "train, valid or test", "label": f"1 where: {use_case.dataset.describe_label()}"}
        return "The rows of one version of the training set; see training_sets", columns
    return None
