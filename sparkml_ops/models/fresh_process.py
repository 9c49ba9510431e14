"""A registered version, loaded by a process that has seen nothing of it before, which answers a few rows.

What a process has in memory can answer where files cannot: a class that was defined in it, a library of another version, a file that is
not there. So the process is a new one, with the same installation, and gets nothing but the registered files and the rows.
"""

import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from sparkml_ops.errors import ModelError, SparkMLOpsError
from sparkml_ops.models.package import PACKAGE_FILE, PackagedModel, load_package
from sparkml_ops.models.registry import ModelVersion, fetch_package
from sparkml_ops.models.tracking import Tracking

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

TIMEOUT_SECONDS = (
    600  # imports and reading a package take seconds; a process that hangs must not hold a promotion for ever
)
ROWS_FILE, ANSWERS_FILE = "rows.parquet", "answers.npy"
_PROGRAM = "from sparkml_ops.models.fresh_process import answer_as_process; raise SystemExit(answer_as_process())"
_ANSWER = "_answer_"


@dataclass(frozen=True)
class AnsweredRows:
    """Some rows and what Spark's workers answered them.

    Attributes:
        rows: The columns that the model needs.
        answers: Shape (rows,), of several classes (rows, classes).
    """

    rows: "pa.Table"
    answers: "NDArray[np.float64]"


def take_answered_rows(scored: DataFrame, model: PackagedModel, *, prediction: str, rows: int) -> AnsweredRows:
    """The same rows each time, whatever their order, with what the model answered them.

    Args:
        scored: Rows with the columns that the model needs, and its answers.
        model: The model.
        prediction: The column of its answers.
        rows: How many at most.
    """
    columns = [F.col(f"`{name}`") for name in model.needed_columns]
    answers = _take_apart(F.col(prediction), model)
    drawn = scored.select(*columns, *answers, F.xxhash64(*columns, *answers).alias("_order"))
    table = drawn.orderBy("_order").limit(rows).drop("_order").toArrow()
    values = [table.column(f"{_ANSWER}{at}").to_numpy() for at in range(len(answers))]
    together = np.column_stack(values) if model.classes else values[0]
    return AnsweredRows(table.select(model.needed_columns), together.astype(np.float64))


def answer_in_fresh_process(tracking: Tracking, version: ModelVersion, rows: "pa.Table") -> "NDArray[np.float64]":
    """Let a new process load the registered files of a version and answer some rows.

    Args:
        tracking: Where the version is registered.
        version: The version.
        rows: The columns that it needs.

    Raises:
        ModelError: The files are gone or are others, or the process could not load or ask the model; says what it said last.
    """
    import pyarrow.parquet as pq

    with tempfile.TemporaryDirectory() as scratch:
        package = fetch_package(tracking, version, into=scratch)
        pq.write_table(rows, Path(scratch) / ROWS_FILE)
        what = f"a fresh process cannot answer with version {version.version}"
        _run(package, Path(scratch), what=what)
        answers: NDArray[np.float64] = np.load(Path(scratch) / ANSWERS_FILE, allow_pickle=False)
        return answers


def answer_rows(package: Path, folder: Path) -> None:
    """What the fresh process does: load the package, read the rows of the folder, and leave the answers there."""
    import pyarrow.parquet as pq

    if not (package / PACKAGE_FILE).is_file():
        raise ModelError(f"there is no package at {package}")
    np.save(folder / ANSWERS_FILE, load_package(package).predict(pq.read_table(folder / ROWS_FILE).to_pandas()))


def _take_apart(answer: Column, model: PackagedModel) -> list[Column]:
    if not model.classes:
        return [answer.alias(f"{_ANSWER}0")]
    return [answer[name].alias(f"{_ANSWER}{at}") for at, name in enumerate(model.classes)]


def _run(package: Path, folder: Path, *, what: str) -> None:
    # Modules of the user's are found where this process finds them; an empty entry is the folder it runs in.
    found_at = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
    command = [sys.executable, "-c", _PROGRAM, str(package), str(folder)]
    try:
        ended = subprocess.run(  # noqa: S603  # our own module, and folders that were made here
            command,
            env=os.environ | {"PYTHONPATH": found_at},
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{what}: it did not end within {TIMEOUT_SECONDS} s") from error
    if ended.returncode:
        said = ended.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        by = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit code {ended.returncode}"
        raise ModelError(f"{what}: it ended with {by}: {said[0]}")


def answer_as_process() -> int:
    """`answer_rows` by the two arguments of this process; gives its exit code."""
    try:
        answer_rows(Path(sys.argv[1]), Path(sys.argv[2]))
    except SparkMLOpsError as error:
        sys.stderr.write(f"{' '.join(str(error).split())}\n")
        return 1
    return 0
