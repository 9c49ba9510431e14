"""Users' own trainers, in a format of theirs (`save`, `load`) or in skops'; read only from packages that the user has named.

The file is a line of JSON, which names the class and the format, and behind it the trainer.
"""

import importlib
import inspect
import json
from typing import TYPE_CHECKING, Any

from sparkml_ops.errors import ModelError
from sparkml_ops.models.kinds import sklearn
from sparkml_ops.models.kinds.trust import TRUST_VARIABLE, list_named_packages

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILE_NAME = "model.own"


def dump_estimator(estimator: Any) -> bytes:
    """What the trainer's `save` gives, or skops' format where it has none.

    Raises:
        ModelError: It cannot be stored.
    """
    name, has_save = name_class(type(estimator)), hasattr(type(estimator), "save")
    try:
        content = estimator.save() if has_save else sklearn.dump_estimator(estimator)
    except Exception as error:
        raise ModelError(f"{name} cannot be stored: {tell_failure(error)}.") from error
    if not isinstance(content, bytes):
        raise ModelError(f"{name}.save returned {type(content).__name__}; expected bytes.")
    head = {"class": name, "format": "own" if has_save else "skops"}
    return json.dumps(head).encode() + b"\n" + content


def load_estimator(content: bytes) -> Any:
    """Read a trainer, if its package is one that the user has named: reading runs its code.

    Raises:
        ModelError: The file is damaged, its package is not named, or its class is not here or cannot read it.
    """
    head, _, payload = content.partition(b"\n")
    try:
        plain = json.loads(head)
        module = plain["class"].partition(":")[0]
        is_own = plain["format"] == "own"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ModelError(f"The file {FILE_NAME} is damaged: {error}") from error
    if module.split(".")[0] not in list_named_packages():
        raise ModelError(
            f"The model is of the class {plain['class']}, whose package is not trusted. If it is yours, name it in the "
            f"environment variable {TRUST_VARIABLE}."
        )
    return _read_own(plain["class"], payload) if is_own else sklearn.load_estimator(payload)


def copy_estimator(estimator: Any) -> Any:
    """What is read back once it is stored; of a trainer that was just made here, so that no package need be named.

    Raises:
        ModelError: It cannot be stored or read.
    """
    import skops.io

    payload = dump_estimator(estimator).partition(b"\n")[2]
    if hasattr(type(estimator), "save"):
        return _load_own(type(estimator), payload)
    try:
        return skops.io.loads(payload, trusted=skops.io.get_untrusted_types(data=payload))
    except Exception as error:
        raise ModelError(f"{name_class(type(estimator))} cannot be read back: {tell_failure(error)}.") from error


def predict_values(estimator: Any, matrix: "NDArray[np.float64]", *, task: str) -> "NDArray[np.float64]":
    """Probability of the class 1, of a regression the number, of several classes those of each, with one thread.

    Raises:
        ModelError: `predict` failed, or answered with what cannot be.
    """
    import numpy as np
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    name = name_class(type(estimator))
    try:
        with threadpool_limits(limits=1):
            answers = np.asarray(estimator.predict(matrix), dtype=np.float64)
    except MemoryError:
        raise
    except Exception as error:
        raise ModelError(f"{name}.predict failed with {tell_failure(error)}. The class is yours.") from error
    read = {"regression": _read_numbers, "multiclass": _read_classes}.get(task, _read_probabilities)
    return read(name, answers, len(matrix))


def has_contributions(estimator: Any) -> bool:  # noqa: ARG001
    """It is not known what its columns add."""
    return False


def find_contributions(estimator: Any, matrix: "NDArray[np.float64]") -> "NDArray[np.float64]":  # noqa: ARG001
    """There is no answer.

    Raises:
        ModelError: Always.
    """
    raise ModelError(f"{name_class(type(estimator))} does not say what its columns add.")


def count_contribution_steps(estimator: Any) -> int:  # noqa: ARG001
    """There are none."""
    return 0


def name_class(found: type) -> str:
    """The class as `package.module:Class`."""
    return f"{found.__module__}:{found.__qualname__}"


def tell_failure(error: Exception) -> str:
    """Type and message of an error, and the line of a file where it was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    file = "" if at is None else f" ({at.tb_frame.f_code.co_filename.rpartition('/')[2]}, line {at.tb_lineno})"
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}{file}"


def _read_own(name: str, payload: bytes) -> Any:
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
    except Exception as error:
        raise ModelError(
            f"The model is of the class {name}, which cannot be imported: {tell_failure(error)}. It must lie where Python "
            "looks: installed or on PYTHONPATH, on Spark's workers too (spark-submit --py-files)."
        ) from error
    # what else such a module has imported, and that has a `load`, is not asked to read anything
    is_theirs = inspect.isclass(found) and found.__module__.split(".")[0] in list_named_packages()
    if not is_theirs or not all(hasattr(found, method) for method in ("fit", "predict", "save", "load")):
        raise ModelError(
            f"The model is of {name}, which is no class of a named package with fit, predict, save and load."
        )
    return _load_own(found, payload)


def _load_own(found: Any, payload: bytes) -> Any:
    name = f"{found.__module__}:{found.__qualname__}"
    try:
        loaded = found.load(payload)
    except Exception as error:
        raise ModelError(f"{name}.load failed with {tell_failure(error)}. The class is yours.") from error
    if not isinstance(loaded, found):
        raise ModelError(f"{name}.load returned {type(loaded).__name__}; expected a {found.__name__}.")
    return loaded


def _read_probabilities(name: str, answers: "NDArray[np.float64]", rows: int) -> "NDArray[np.float64]":
    if answers.shape not in ((rows,), (rows, 2)):
        raise ModelError(
            f"{name}.predict answered {answers.shape} to {rows} rows; expected ({rows},), the probability of "
            f"class 1 for each row, or ({rows}, 2), those of both classes."
        )
    probabilities = answers if answers.ndim == 1 else answers[:, 1]
    _refuse(
        name,
        probabilities,
        (probabilities >= 0) & (probabilities <= 1),
        words=("no probability", "numbers from 0 to 1"),
    )
    return probabilities


def _read_classes(name: str, answers: "NDArray[np.float64]", rows: int) -> "NDArray[np.float64]":
    from sparkml_ops.models.class_arrays import is_possible

    if answers.ndim != 2 or len(answers) != rows:  # noqa: PLR2004  # rows and classes
        raise ModelError(
            f"{name}.predict answered {answers.shape} to {rows} rows; expected ({rows}, classes), the probability of each class in the "
            "order of the labels 0, 1, 2, …"
        )
    wrong = answers[~is_possible(answers)]
    if len(wrong):
        found = "; ".join(str([float(value) for value in row[:5]]) for row in wrong[:3])
        raise ModelError(
            f"{name}.predict answered {len(wrong)} of {rows} rows with probabilities that are below 0, no numbers, or do not add up to 1: "
            f"{found}. Expected a share for each class."
        )
    return answers


def _read_numbers(name: str, answers: "NDArray[np.float64]", rows: int) -> "NDArray[np.float64]":
    if answers.shape not in ((rows,), (rows, 1)):
        raise ModelError(
            f"{name}.predict answered {answers.shape} to {rows} rows; expected ({rows},), a number for each row."
        )
    numbers = answers.reshape(rows)
    _refuse(name, numbers, abs(numbers) < float("inf"), words=("no finite number", "a number for each row"))
    return numbers


def _refuse(
    name: str, answers: "NDArray[np.float64]", possible: "NDArray[np.bool_]", *, words: tuple[str, str]
) -> None:
    """NaN is never possible: no comparison holds for it."""
    wrong = answers[~possible]
    if len(wrong):
        found = ", ".join(str(value) for value in wrong[:3])
        raise ModelError(
            f"{name}.predict answered {len(wrong)} of {len(answers)} rows with what is {words[0]}: {found}; expected {words[1]}."
        )
