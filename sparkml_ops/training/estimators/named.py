"""What `model.estimator` names: a class, or a function that makes an estimator."""

import importlib
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from sparkml_ops.errors import ConfigError

EXTRAS = ("xgboost",)
"""Packages that are an extra of the same name."""
WHERE = (
    "It must lie where Python looks: installed or on PYTHONPATH here, and on each of Spark's workers too (spark-submit "
    "--py-files trainers.py)."
)


def find_named(estimator: str) -> Any:
    """The class or function of a dotted path, or of `package.module:name`.

    Raises:
        ConfigError: It cannot be imported, or is neither.
    """
    module, _, name = estimator.rpartition(":" if ":" in estimator else ".")
    try:
        found = getattr(importlib.import_module(module), name)
    except Exception as error:
        raise ConfigError(_tell_absent(estimator, error)) from error
    if not callable(found):
        raise ConfigError(
            f"model.estimator: {estimator} is a {type(found).__name__}; expected a class, or a function that returns an "
            "estimator which is not fitted."
        )
    return found


def make_estimator(estimator: str, params: Mapping[str, Any], *, positions: Sequence[int] = (), seed: int = 0) -> Any:
    """A new estimator that is not fitted, with its parameters, and the seed for whatever it draws.

    A class is called with those of its arguments that are among the parameters, a function with `categorical_positions` and
    `seed` where it names them; the other parameters are set by sklearn's `set_params`.

    Args:
        estimator: The class or function.
        params: Parameters; those of a pipeline's steps are named `step__parameter`.
        positions: Of the matrix's columns that hold codes of levels.
        seed: For each `random_state` that is left open.

    Raises:
        ConfigError: It cannot be made so.
    """
    found = find_named(estimator)
    try:
        if inspect.isclass(found):
            made, rest = _call_class(found, params, seed)
        else:
            made, rest = _call_function(found, positions=positions, seed=seed), dict(params)
        rest = {name: seed for name in _list_open_seeds(made) if name not in params} | rest
        return made.set_params(**rest) if rest else made
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"model.estimator: {estimator} cannot be made: {type(error).__name__}: {_shorten(error)}"
        ) from error


def list_known(estimator: str) -> list[str]:
    """Names of the parameters that it has, those of a pipeline's steps among them.

    Raises:
        ConfigError: A function gives no estimator.
    """
    found = find_named(estimator)
    if not inspect.isclass(found):
        return sorted(make_estimator(estimator, {}).get_params())
    named = [name for name, one in inspect.signature(found).parameters.items() if one.kind is not one.VAR_KEYWORD]
    if not hasattr(found, "get_params") or list_required(found):
        return named
    made: Any = found()
    return [*named, *(name for name in sorted(made.get_params()) if name not in named)]


def list_required(found: Any) -> list[str]:
    """Arguments that a class or function cannot be called without."""
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(found).parameters.items()
    return [name for name, one in parameters if one.default is one.empty and one.kind not in kinds]


def refuse_unknown(estimator: str, names: Sequence[str], known: Sequence[str]) -> None:
    """Refuse parameters that are not known, with the nearest known name; of a step's parameter without its step, with both.

    Raises:
        ConfigError: Names the first.
    """
    for name in names:
        if name in known:
            continue
        of_step = [one for one in known if one.endswith(f"__{name}")]
        near = of_step[:1] or get_close_matches(name, known, n=1)
        raise ConfigError(f"{estimator} has no parameter {name!r}." + (f" Did you mean {near[0]!r}?" if near else ""))


def _call_class(found: Any, params: Mapping[str, Any], seed: int) -> tuple[Any, dict[str, Any]]:
    named = inspect.signature(found).parameters
    missing = [name for name in list_required(found) if name not in params]
    if missing:
        raise ConfigError(
            f"model.estimator: {found.__module__}.{found.__qualname__} cannot be made without {', '.join(missing)}. Write a "
            "function that returns it, and name that: package.module:function."
        )
    seeded = {"random_state": seed} if "random_state" in named else {}
    given = seeded | {name: value for name, value in params.items() if name in named}
    return found(**given), {name: value for name, value in params.items() if name not in given}


def _call_function(found: Any, *, positions: Sequence[int], seed: int) -> Any:
    from sklearn.base import clone

    offered = {"categorical_positions": list(positions), "seed": seed}
    named = inspect.signature(found).parameters
    missing = [name for name in list_required(found) if name not in offered]
    where = f"model.estimator: {found.__module__}:{found.__name__}"
    if missing:
        raise ConfigError(
            f"{where} needs {', '.join(missing)}; it may ask for {' and '.join(offered)}, by these names."
        )
    made = found(**{name: value for name, value in offered.items() if name in named})
    if inspect.isclass(made) or not hasattr(made, "get_params") or not hasattr(made, "fit"):
        shown = made.__name__ if inspect.isclass(made) else type(made).__name__
        raise ConfigError(
            f"{where} returned {'the class ' if inspect.isclass(made) else 'a '}{shown}; expected an estimator or pipeline of scikit-learn's kind."
        )
    return clone(made)  # whatever it returns, perhaps the same object each time: each fit begins anew


def _list_open_seeds(made: Any) -> list[str]:
    params = made.get_params() if hasattr(made, "get_params") else {}
    return [name for name, value in params.items() if name.rpartition("__")[2] == "random_state" and value is None]


def _shorten(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _tell_absent(estimator: str, error: Exception) -> str:
    package = estimator.replace(":", ".").split(".", maxsplit=1)[0]
    told = f"model.estimator: {estimator} cannot be imported: {type(error).__name__}: {_shorten(error)}."
    if package in EXTRAS and isinstance(error, ModuleNotFoundError):
        return f"{told} It needs an extra: pip install 'sparkml-ops[{package}]'"
    if not isinstance(error, AttributeError):
        return f"{told} {WHERE}"
    module, name = re.split(r"[.:](?=\w+$)", estimator)
    near = get_close_matches(name, dir(sys.modules.get(module)), n=1)
    return f"{told} Did you mean {near[0]!r}?" if near else told
