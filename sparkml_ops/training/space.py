"""`model.search.space` -> Hyperopt's expressions, and what Hyperopt draws -> parameters."""

import math
from collections.abc import Mapping
from typing import Any

from sparkml_ops.config.model import Distribution


def build_space(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """Hyperopt's expression of each dimension; a dimension of no meaning when there is none, since Hyperopt needs one."""
    from hyperopt import hp

    if not space:
        return {"_nothing": hp.choice("_nothing", [None])}
    return {name: _build_expression(name, distribution) for name, distribution in space.items()}


def decode_params(space: Mapping[str, Distribution], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters from what Hyperopt drew.

    Hyperopt rounds to multiples of the step, which can leave the bounds, and draws floats only: quantised values are
    kept within the bounds, and are integers where step and bounds are.
    """
    return {name: _decode_value(space[name], value) for name, value in drawn.items() if name in space}


def _build_expression(name: str, distribution: Distribution) -> Any:
    from hyperopt import hp

    if distribution.choice is not None:
        return hp.choice(name, distribution.choice)
    bounds = getattr(distribution, distribution.kind)
    if "log" in distribution.kind:  # Hyperopt wants the logarithms of the bounds, and the step as it is
        bounds = (math.log(bounds[0]), math.log(bounds[1]), *bounds[2:])
    return getattr(hp, distribution.kind)(name, *bounds)


def _decode_value(distribution: Distribution, value: Any) -> Any:
    if distribution.choice is not None:
        return value
    if not distribution.kind.startswith("q"):
        return float(value)
    bounds = getattr(distribution, distribution.kind)
    kept = min(max(float(value), bounds[0]), bounds[1])
    return round(kept) if all(float(bound).is_integer() for bound in bounds) else kept
