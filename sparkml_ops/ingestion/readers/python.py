"""A function of the user's: what Spark has no reader for.

With `pieces`, the function that it names lists what there is, and the reader is called with each name that is new. Without,
the reader gives all there is, each time (a snapshot). Rows are landed before they are judged, so the functions need promise
nothing but that a name means the same rows for ever.
"""

import importlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

from pyspark.sql import functions as F

from sparkml_ops.errors import ConfigError, ContractError, SparkMLOpsError
from sparkml_ops.ingestion.contract import RAW, compare_columns
from sparkml_ops.ingestion.files import LandedFile
from sparkml_ops.ingestion.readers.rows import name_rows, write_down
from sparkml_ops.lake.causes import list_causes

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.sources import Source

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WHOLE = " at "  # between the function's name and the moment of a snapshot
Outcome = TypeVar("Outcome")


def list_named(spark: "SparkSession", source: "Source", *, name: str, taken: Sequence[LandedFile]) -> list[LandedFile]:
    """The pieces that the user's function names, sorted; or one of this moment, for a snapshot without.

    Raises:
        ConfigError: a function cannot be imported, or gives something else than names.
        ContractError: it failed.
    """
    del taken
    _find_function(source.path, name)  # before anything is computed
    if source.python is None:
        now = datetime.now(UTC)
        return [LandedFile(f"{source.path}{_WHOLE}{now.isoformat()}", 0, now)]
    listed = _call(source.python.pieces, name, spark)
    texts = list(listed) if isinstance(listed, list | tuple | set) else [listed]
    strange = [text for text in texts if not isinstance(text, str) or not text]
    if strange or len(set(texts)) < len(texts):
        raise ConfigError(
            f"source {name}: {source.python.pieces} must return a list of names, each a text and there once; it returned "
            f"{str(listed)[:200]}"
        )
    return [LandedFile(text, 0, _EPOCH) for text in sorted(texts)]


def read_named(spark: "SparkSession", source: "Source", paths: Sequence[str]) -> "DataFrame":
    """Rows of the pieces, written down.

    Raises:
        ConfigError: the function cannot be imported, or returns no DataFrame.
        ContractError: it failed, or its columns are not the contract's.
    """
    return reduce(lambda left, right: left.unionByName(right), (_read_piece(spark, source, path) for path in paths))


def call_once(source: "Source", name: str, action: Callable[[], Outcome]) -> Outcome:
    """Bring the rows of the user's function in; what fails in it is told as the user's."""
    try:
        return action()
    except SparkMLOpsError:
        raise
    except Exception as error:
        raise _blame(f"taking in the rows of {source.path}", name, error) from error


def _read_piece(spark: "SparkSession", source: "Source", path: str) -> "DataFrame":
    from pyspark.sql import DataFrame

    place = f"python: {source.path}"
    given = (spark,) if source.python is None else (spark, path)
    rows = _find_function(source.path, place)(*given)
    if not isinstance(rows, DataFrame):
        raise ConfigError(f"{place} must return a Spark DataFrame, and returned {type(rows).__name__} for {path!r}")
    names = name_rows(rows, source, place=place)
    compare_columns(names, source, place=place)
    return rows.select(write_down(rows, names).alias(RAW), F.lit(path).alias("_source_file"))


def _call(function: str, name: str, *given: Any) -> Any:
    found = _find_function(function, name)
    try:
        return found(*given)
    except Exception as error:
        raise _blame(function, name, error) from error


def _find_function(function: str, name: str) -> Any:
    module, _, attribute = function.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise ConfigError(
            f"source {name}: python: {function} cannot be imported ({error}); it must be package.module:function, in a package "
            "that is installed or lies where Python looks (PYTHONPATH)"
        ) from error


def _blame(function: str, name: str, error: Exception) -> ContractError:
    kind, told = _tell_cause(error)
    return ContractError(
        f"source {name}: {function} failed with {kind}: {told}. Nothing was written. The function is "
        "yours: `sparkml-ops --debug …` shows where it failed."
    )


def _tell_cause(error: Exception) -> tuple[str, str]:
    """Name and words of an error; of one that the JVM wraps in others, which say only where, of the innermost."""
    from py4j.protocol import Py4JJavaError

    kind, said = type(error).__name__, str(error)
    if isinstance(error, Py4JJavaError) and (causes := list_causes(error)):
        kind, said = str(causes[-1].getClass().getSimpleName()), str(causes[-1].getMessage())
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [""]
    return kind, (lines[-1] if any(line.startswith("Traceback") for line in lines) else lines[0])[:300]
