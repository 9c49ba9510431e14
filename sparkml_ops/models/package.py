"""The packaged model: an estimator that knows its feature columns and answers with probabilities, or numbers.

On disk it is a folder: `package.json`, the estimator in its own format, and one file of all models per segment where there are such.
No pickle anywhere.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparkml_ops.errors import ModelError
from sparkml_ops.models.class_arrays import widen_answers
from sparkml_ops.models.digests import digest_package
from sparkml_ops.models.encoder import FeatureEncoder
from sparkml_ops.models.family import SEGMENTS_FILE, Family, parse_family, split_rows
from sparkml_ops.models.kinds import find_estimator_kind
from sparkml_ops.models.segments import GLOBAL
from sparkml_ops.models.tasks import find_task

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

PACKAGE_FILE = "package.json"
FORMAT_VERSION = 3  # 2: a column may have a level for all others; 3: models per segment, and the task regression


@dataclass(frozen=True)
class PackagedModel:
    """A model with all that is needed to ask it.

    Attributes:
        name: Name in the registry: the use case.
        task: `binary`, `regression` or `multiclass`.
        kind: Kind of the estimator, a file in `models/kinds`.
        encoder: Feature columns -> matrix.
        estimator: The native estimator.
        metadata: Plain values: training set, configuration hash, figures, reference histograms, versions.
        family: Models per segment; rows of no segment that has one are for the estimator. None where there are none.
    """

    name: str
    task: str
    kind: str
    encoder: FeatureEncoder
    estimator: Any = field(compare=False, repr=False)
    metadata: Mapping[str, Any] = field(default_factory=dict, repr=False)
    family: Family | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Of several classes their names, in the order of the probabilities; else none."""
        return self.encoder.classes

    @property
    def feature_columns(self) -> list[str]:
        """Columns that the estimator learned from."""
        return self.encoder.feature_columns

    @property
    def needed_columns(self) -> list[str]:
        """Columns that rows must have: the features, and those by which segments are told."""
        return list(dict.fromkeys([*self.feature_columns, *(self.family.segment_columns if self.family else [])]))

    def predict(self, frame: "pd.DataFrame") -> "NDArray[np.float64]":
        """Probability of the positive class for each row, or of a regression the number, shape (rows,); of several classes (rows, classes)."""
        return predict_matrix(self, self.encoder.encode_frame(frame), self._serve(frame))

    def explain(self, frame: "pd.DataFrame", top: int) -> list[list[tuple[str, float]]]:
        """The `top` columns that move each row's log odds most, or of a regression its answer: (column, contribution), strongest first.

        Of several classes it is the score of the most probable one.

        Raises:
            ModelError: This kind of estimator does not say what its columns add.
        """
        kind = find_estimator_kind(self.kind)
        if not kind.has_contributions(self.estimator):
            raise ModelError(f"Model {self.name} ({self.kind}) does not say what its columns add.")
        matrix = self.encoder.encode_frame(frame)
        positions, contributions = rank_contributions(self, matrix, top, self._serve(frame))
        names = self.encoder.encoded_columns
        return [
            [(names[position], float(value)) for position, value in zip(*row, strict=True)]
            for row in zip(positions, contributions, strict=True)
        ]

    def find_segments(self, frame: "pd.DataFrame") -> list[str]:
        """The segment whose model serves each row, or `global`."""
        served = self._serve(frame)
        if self.family is None or served is None:
            return [GLOBAL] * len(frame)
        names: list[str] = self.family.name_members(served).to_pylist()
        return names

    def _serve(self, frame: "pd.DataFrame") -> "NDArray[np.int64] | None":
        return None if self.family is None else self.family.serve_frame(frame)


def predict_matrix(
    model: PackagedModel, matrix: "NDArray[np.float64]", served: "NDArray[np.int64] | None" = None
) -> "NDArray[np.float64]":
    """Ask the estimator, and refuse impossible answers.

    Args:
        model: The model.
        matrix: The encoded rows.
        served: Which model of its family serves each row; None asks the model of all rows for each.

    Raises:
        ModelError: Another number of answers than rows, or answers that cannot be: no probabilities, or of a regression not finite.
    """
    answers = np.empty(_shape(model, len(matrix)), dtype=np.float64)
    for estimator, rows in _deal_rows(model, matrix, served):
        answers[rows] = _ask_estimator(model, estimator, matrix[rows])
    return answers


def _deal_rows(
    model: PackagedModel, matrix: "NDArray[np.float64]", served: "NDArray[np.int64] | None"
) -> Iterator[tuple[Any, Any]]:
    """Each estimator that is asked, and its rows; none where there are no rows."""
    if not len(matrix):
        return
    if model.family is None or served is None:
        yield model.estimator, slice(None)
        return
    kind = find_estimator_kind(model.kind)
    for code, rows in split_rows(served):
        yield model.family.load_member(kind, code) if code else model.estimator, rows


def _ask_estimator(model: PackagedModel, estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":
    task = find_task(model.task)
    answers = find_estimator_kind(model.kind).predict_values(estimator, matrix, task=model.task)
    answers, expected = widen_answers(answers, len(model.classes)), _shape(model, len(matrix))
    if answers.shape != expected:
        raise ModelError(
            f"Model {model.name} answered {answers.shape} to {len(matrix)} rows; expected {expected}: one number a row, of several "
            "classes one for each."
        )
    possible = task.is_possible(answers)
    if not possible.all():
        found = ", ".join(str(value) for value in answers[~possible][:5])
        raise ModelError(
            f"Model {model.name} answered {int((~possible).sum())} of {len(matrix)} rows with what is {task.NO_ANSWER}: "
            f"{found}. The model is damaged or is not of the task {model.task}; nothing was written."
        )
    return answers


def _shape(model: PackagedModel, rows: int) -> tuple[int, ...]:
    return (rows, len(model.classes)) if model.classes else (rows,)


def rank_contributions(
    model: PackagedModel,
    matrix: "NDArray[np.float64]",
    top: int,
    served: "NDArray[np.int64] | None" = None,
) -> tuple["NDArray[np.int64]", "NDArray[np.float64]"]:
    """Positions and values of the strongest contributions of each row, both of shape (rows, top); ties by position.

    Each row is explained by the model that serves it.
    """
    kind, contributions = find_estimator_kind(model.kind), np.empty(matrix.shape)
    for estimator, rows in _deal_rows(model, matrix, served):
        contributions[rows] = kind.find_contributions(estimator, matrix[rows])
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
    segments = {} if model.family is None else {SEGMENTS_FILE: model.family.content}
    if model.family is not None:
        plain["segments_digest"] = hashlib.sha256(model.family.content).hexdigest()
    text = json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False)
    return {PACKAGE_FILE: text.encode(), kind.FILE_NAME: estimator, **segments}


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
            family=_parse_segments(files, plain.get("segments_digest")),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise ModelError(
            f"The model package is damaged or not whole (files: {', '.join(sorted(files))}): {error}"
        ) from error


def _parse_segments(files: Mapping[str, bytes], digest: str | None) -> Family | None:
    if digest is None:
        return None
    if hashlib.sha256(files[SEGMENTS_FILE]).hexdigest() != digest:
        raise ModelError(f"The model file {SEGMENTS_FILE} is damaged: it is not the one that was packaged.")
    return parse_family(files[SEGMENTS_FILE])


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
