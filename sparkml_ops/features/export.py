"""The rows of a version of the training set as files for people outside the lake."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ContractError
from sparkml_ops.features.content import measure_content
from sparkml_ops.features.recreate import make_again
from sparkml_ops.features.training_sets import TrainingSet, describe_training_set, read_training_set
from sparkml_ops.lake.failed_reads import blaming_tables
from sparkml_ops.lake.folders import FileFormat, draft_folder

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake


@dataclass(frozen=True)
class ExportResult:
    """Files that were written.

    Attributes:
        version: of the training set.
        path: the folder, with the files and `_manifest.json`.
        form: parquet or csv.
        rows: how many there are.
        content_hash: hash of the rows, which are those of the version.
    """

    version: str
    path: str
    form: FileFormat
    rows: int
    content_hash: str


def export_training_set(
    lake: "Lake", version: str, *, to: str, form: FileFormat = "parquet", replace: bool = False
) -> ExportResult:
    """Write the rows of a version into a folder that is there complete, or not at all.

    Args:
        lake: where the tables are.
        version: name of the version.
        to: the folder: a path or a storage URL that all workers reach.
        form: parquet, or csv: with a header, instants as ISO 8601 in UTC, a missing value as nothing, an empty text as "".
        replace: take the place of an earlier export.

    Raises:
        TableNotFoundError: the version, or its rows, are gone.
        ContractError: the rows are not those that were written.
        ConfigError: there is something at that place, or a column has a type that CSV cannot hold.
        SetupError: a file with the rows is gone.
    """
    made = describe_training_set(lake, version)
    return _write(lake, read_training_set(lake, version), made, to=to, form=form, replace=replace)


def recreate_into(
    use_case: "UseCase", lake: "Lake", version: str, *, to: str, form: FileFormat = "parquet", replace: bool = False
) -> ExportResult:
    """As `recreate_training_set`, with the rows written into a folder as `export_training_set` does.

    Raises:
        TableNotFoundError: the version, or the version of one of its inputs, is gone; says which.
        ContractError: the inputs are there but give other rows; nothing was written.
        ConfigError: there is something at that place, or a column has a type that CSV cannot hold.
    """
    made, rows = make_again(use_case, lake, version)
    return _write(lake, rows, made, to=to, form=form, replace=replace)


def _write(
    lake: "Lake", rows: "DataFrame", made: TrainingSet, *, to: str, form: FileFormat, replace: bool
) -> ExportResult:
    with blaming_tables(lake), draft_folder(lake, to, replace=replace) as draft:
        draft.save(rows, form)
        # Parquet keeps the types, so the files themselves are held against the hash; of CSV it is what they are made of.
        content = measure_content(lake.spark.read.parquet(draft.path) if form == "parquet" else rows)
        if content.content_hash != made.content_hash:
            raise ContractError(
                f"training set {made.version}: the rows to write have the hash {content.content_hash}, expected "
                f"{made.content_hash}. Nothing was written to {draft.to}. A table was made anew under its old version, or "
                "a Python function gives other values now."
            )
        draft.note(_describe(made, rows, form))
    return ExportResult(made.version, draft.to, form, sum(content.rows.values()), content.content_hash)


def _describe(made: TrainingSet, rows: "DataFrame", form: FileFormat) -> dict[str, Any]:
    return {
        "training_set": made.version,
        "content_hash": made.content_hash,
        "definition_hash": made.definition_hash,
        "format": form,
        "rows": made.rows,
        "positives": made.positives,
        "columns": [{"name": field.name, "type": field.dataType.simpleString()} for field in rows.schema],
        "inputs": made.inputs,
        "as_of": made.as_of.isoformat(),
    }
