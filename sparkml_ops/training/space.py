"""What is drawn from a search space -> parameters.

A draw is a mapping from a dimension's label to a number: of a distribution its value, of a choice the position of the option. So it can be
kept as JSON, and any backend can be told of it again. A dimension within an option has the label `<choice>/<position>/<parameter>`, and is
drawn where its option is.
"""

from collections.abc import Iterator, Mapping
from math import inf, isinf
from typing import Any

from sparkml_ops.config.search import Distribution, Space

Draw = Mapping[str, float]


def list_dimensions(space: Space, *, prefix: str = "") -> Iterator[tuple[str, Distribution]]:
    """Label and distribution of every dimension, those within options after the choice."""
    for name, distribution in space.items():
        label = f"{prefix}{name}"
        yield label, distribution
        for position, option in enumerate(distribution.options):
            yield from list_dimensions(nested_space(option), prefix=f"{label}/{position}/")


def nested_space(option: Any) -> dict[str, Distribution]:
    """The dimensions within an option."""
    return {} if not isinstance(option, Mapping) else {k: v for k, v in option.items() if isinstance(v, Distribution)}


def decode_draw(space: Space, draw: Draw, *, prefix: str = "") -> dict[str, Any]:
    """Parameters of a draw.

    Quantised values are multiples of the step that are kept within the bounds, and are integers where step and bounds are.
    """
    params: dict[str, Any] = {}
    for name, distribution in space.items():
        label = f"{prefix}{name}"
        if not distribution.options:
            params[name] = _decode_number(distribution, draw[label])
            continue
        position = int(draw[label])
        option = distribution.options[position]
        if not isinstance(option, Mapping):
            params[name] = option
            continue
        params |= {key: value for key, value in option.items() if not isinstance(value, Distribution)}
        params |= decode_draw(nested_space(option), draw, prefix=f"{label}/{position}/")
    return params


def _decode_number(distribution: Distribution, value: float) -> float:
    kind, numbers = distribution.kind, distribution.numbers
    if kind.endswith("int"):
        return round(value)
    if not kind.startswith("q"):
        return float(value)
    step, bounds = numbers[2], numbers[:2] if kind.endswith("uniform") else (-inf, inf)
    kept = min(max(round(value / step) * step, bounds[0]), bounds[1])
    is_whole = step.is_integer() and all(isinf(bound) or bound.is_integer() for bound in bounds)
    return round(kept) if is_whole else kept
