"""The packaged model: an estimator that knows its feature columns and answers with probabilities, or numbers.

On disk it is a folder of two files: `package.json` and the estimator in its own format. No pickle anywhere.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.errors import ModelError
from sparkml_ops.models.encoder import FeatureEncoder
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.tasks import find_task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PACKAGE_FILE = "package.json"
FORMAT_VERSION = 3  # 2: a column may have a level for all others; 3: the task may be regression


@dataclass(frozen=True)
class PackagedModel:
    """A model with all that is needed to ask it.

    Attributes:
        name: Name in the registry: the use case.
        task: `binary` or `regression`.
        kind: Kind of the estimator, a file in `models/kinds`.
        encoder: Feature columns -> matrix.
        estimator: The native estimator.
        metadata: Plain values: training set, configuration hash, figures, reference histograms, versions.
    """

    name: str
    task: str
    kind: str
    encoder: FeatureEncoder
    estimator: Any = field(compare=False, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def feature_columns(self) -> list[str]:
        """Columns that rows must have."""
        return self.encoder.feature_columns

    def predict(self, frame: "pd.DataFrame") -> "NDArray[np.float64]":
        """Probability of the positive class for each row, or of a regression the number, shape (rows,)."""
        return predict_matrix(self, self.encoder.encode_frame(frame))

    def explain(self, frame: "pd.DataFrame", top: int) -> list[list[tuple[str, float]]]:
        """The `top` columns that move each row's log odds most, or of a regression its answer: (column, contribution), strongest first.

        Raises:
            ModelError: This kind of estimator does not say what its columns add.
        """
        kind = find_estimator_kind(self.kind)
        if not kind.has_contributions(self.estimator):
            raise ModelError(f"Model {self.name} ({self.kind}) does not say what its columns add.")
        positions, contributions = rank_contributions(self, self.encoder.encode_frame(frame), top)
        names = self.encoder.encoded_columns
        return [
            [(names[position], float(value)) for position, value in zip(*row, strict=True)]
            for row in zip(positions, contributions, strict=True)
        ]


def predict_matrix(model: PackagedModel, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    """Ask the estimator, and refuse impossible answers.

    Raises:
        ModelError: Another number of answers than rows, or answers that cannot be: no probabilities, or of a regression not finite.
    """
    if not len(matrix):
        return np.empty(0, dtype=np.float64)
    task = find_task(model.task)
    answers = find_estimator_kind(model.kind).predict_values(model.estimator, matrix, task=model.task)
    if answers.shape != (len(matrix),):
        raise ModelError(
            f"Model {model.name} answered {answers.shape} to {len(matrix)} rows; expected one number a row."
        )
    possible = task.is_possible(answers)
    if not possible.all():
        found = ", ".join(str(value) for value in answers[~possible][:5])
        raise ModelError(
            f"Model {model.name} answered {int((~possible).sum())} of {len(matrix)} rows with what is {task.NO_ANSWER}: "
            f"{found}. The model is damaged or is not of the task {model.task}; nothing was written."
        )
    return answers


def rank_contributions(
    model: PackagedModel, matrix: "NDArray[np.float64]", top: int
) -> tuple["NDArray[np.int64]", "NDArray[np.float64]"]:
    """Positions and values of the strongest contributions of each row, both of shape (rows, top); ties by position."""
    contributions = find_estimator_kind(model.kind).find_contributions(model.estimator, matrix)
    positions = np.argsort(-np.abs(contributions), axis=1, kind="stable")[:, :top]
    return positions, np.take_along_axis(contributions, positions, axis=1)


def dump_package(model: PackagedModel) -> dict[str, bytes]:
    """The package's files, by name."""
    kind = find_estimator_kind(model.kind)
    estimator = kind.dump_estimator(model.estimator)
    plain = {
        "format": FORMAT_VERSION,
        "name": model.name,
        "task": model.task,
        "kind": model.kind,
        "estimator_digest": hashlib.sha256(estimator).hexdigest(),
        "feature_columns": {column.name: column.kind for column in model.encoder.columns},
        "encoder": model.encoder.to_dict(),
        "metadata": dict(model.metadata),
    }
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    return {PACKAGE_FILE: text.encode(), kind.FILE_NAME: estimator}


def parse_package(files: Mapping[str, bytes]) -> PackagedModel:
    """Read a model from its files.

    Raises:
        ModelError: A file is missing or damaged, or was written by a newer version.
    """
    try:
        plain = json.loads(files[PACKAGE_FILE])
        if plain["format"] > FORMAT_VERSION:
            raise ModelError(
                f"The model package has format {plain['format']}; this version reads up to {FORMAT_VERSION}. Upgrade."
            )
        kind = find_estimator_kind(plain["kind"])
        # A damaged file must not reach a native parser: LightGBM's ends the whole process.
        if hashlib.sha256(files[kind.FILE_NAME]).hexdigest() != plain["estimator_digest"]:
            raise ModelError(f"The model file {kind.FILE_NAME} is damaged: it is not the one that was packaged.")
        return PackagedModel(
            name=plain["name"],
            task=plain["task"],
            kind=plain["kind"],
            encoder=FeatureEncoder.from_dict(plain["encoder"]),
            estimator=kind.load_estimator(files[kind.FILE_NAME]),
            metadata=plain["metadata"],
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"The model package is damaged or not whole (files: {', '.join(sorted(files))}): {error}"
        ) from error


def digest_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """sha256 of each file, by name."""
    return {name: hashlib.sha256(files[name]).hexdigest() for name in sorted(files)}


def digest_package(files: Mapping[str, bytes]) -> str:
    """One sha256 over the names and contents of all files."""
    lines = [f"{digest}  {name}\n" for name, digest in digest_files(files).items()]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def find_damage(files: Mapping[str, bytes], packaged: Mapping[str, str]) -> list[str]:
    """Which files are not as they were packaged, in words; none where all are.

    Args:
        files: The files that are there, by name.
        packaged: What `digest_files` said of them when they were packaged.
    """
    found = digest_files(files)
    changed = [f"{name} was changed" for name in packaged if name in found and found[name] != packaged[name]]
    missing = [f"{name} is missing" for name in packaged if name not in found]
    return [*changed, *missing, *(f"{name} does not belong to it" for name in found if name not in packaged)]


def save_package(model: PackagedModel, directory: str | Path) -> str:
    """Write the package into a folder, which is made if need be.

    Returns:
        The package's digest.
    """
    return digest_package(write_package(model, directory))


def write_package(model: PackagedModel, directory: str | Path) -> dict[str, bytes]:
    """Write the package into a folder, which is made if need be; gives the files that were written, by name."""
    files = dump_package(model)
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return files


def read_package_files(directory: str | Path) -> dict[str, bytes]:
    """The files of a package folder and of folders in it, by their path in it; an absent folder has none."""
    root = Path(directory)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def load_package(directory: str | Path) -> PackagedModel:
    """Read a packaged model from its folder.

    Raises:
        ModelError: The folder is not a whole package.
    """
    return parse_package(read_package_files(directory))
