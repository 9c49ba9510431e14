"""`model.search`: which parameters are tried, and how the search goes on and ends."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from sparkml_ops.config.types import Duration, Identifier, Number, Pair, Ratio, Section, Triple

Value = str | int | float | bool | None
"""What a parameter can be as it is written."""


class Distribution(Section):
    """One dimension of the search space, in Hyperopt's words: exactly one of the keys."""

    uniform: Pair | None = Field(default=None, description="lowest, highest")
    loguniform: Pair | None = Field(default=None, description="lowest and highest value, not their logarithms")
    quniform: Triple | None = Field(default=None, description="lowest, highest, step")
    qloguniform: Triple | None = Field(default=None, description="lowest, highest, step")
    uniformint: Pair | None = Field(default=None, description="lowest, highest; whole numbers, both among them")
    randint: Pair | None = Field(
        default=None, description="lowest, and what is above the highest; whole numbers without an order"
    )
    normal: Pair | None = Field(default=None, description="mean, standard deviation")
    qnormal: Triple | None = Field(default=None, description="mean, standard deviation, step")
    lognormal: Pair | None = Field(default=None, description="median value, standard deviation of the logarithm")
    qlognormal: Triple | None = Field(
        default=None, description="median value, standard deviation of the logarithm, step"
    )
    choice: "list[Option] | None" = Field(
        default=None,
        min_length=1,
        description="one of these; one that is a mapping gives several parameters, each a value or a distribution",
    )
    pchoice: "list[Weighted] | None" = Field(
        default=None, min_length=1, description="as choice, each with its probability; these add up to 1"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        named = self.model_fields_set - {name for name in self.model_fields_set if getattr(self, name) is None}
        if len(named) != 1:
            raise ValueError(f"exactly one of {', '.join(type(self).model_fields)}")
        if self.pchoice is not None and abs(sum(option.p for option in self.pchoice) - 1) > 1e-6:  # noqa: PLR2004  # rounding
            raise ValueError("pchoice: probabilities that add up to 1")
        if not self.options:
            _check_numbers(self.kind, self.numbers)
        return self

    @property
    def kind(self) -> str:
        """The one key that is set."""
        return next(name for name in type(self).model_fields if getattr(self, name) is not None)

    @property
    def numbers(self) -> tuple[float, ...]:
        """Its numbers; none for a choice."""
        return () if self.options else tuple(getattr(self, self.kind))

    @property
    def options(self) -> "tuple[Option, ...]":
        """What a choice is between; nothing for numbers."""
        return tuple(self.choice or (option.of for option in self.pchoice or ()))


def _is_mapping(value: object) -> str:
    return "mapping" if isinstance(value, Mapping | Section) else "value"


_Tagged = Discriminator(_is_mapping)
Content = Annotated[Annotated[Value, Tag("value")] | Annotated[Distribution, Tag("mapping")], _Tagged]
Option = Annotated[Annotated[Value, Tag("value")] | Annotated[dict[Identifier, Content], Tag("mapping")], _Tagged]
"""What a choice is between: a value, or several parameters, each a value or a distribution."""


class Weighted(Section):
    """An option and its probability."""

    p: Ratio
    of: Option


Distribution.model_rebuild()
Space = Mapping[str, Distribution]


class Search(Section):
    """How the parameters are searched for, on Spark."""

    max_trials: int = Field(default=20, ge=1, le=10_000)
    parallelism: int = Field(
        default=2, ge=1, le=128, description="trials at a time; with 1 the same seed tries the same"
    )
    timeout: Duration | None = Field(default=None, description="of the whole search; trials that still run are stopped")
    trial_timeout: Duration | None = Field(default=None, description="of one trial; past it the trial has failed")
    trial_memory_gb: Annotated[float, Field(gt=0)] | None = Field(
        default=None, description="that a trial may take beyond what its worker has; past it the trial has failed"
    )
    early_stop_after: int | None = Field(
        default=None, ge=1, description="stop after so many trials without a better one"
    )
    max_failed_ratio: Ratio = Field(
        default=0.5, description="past this share of failed trials the search stops and is refused"
    )
    algorithm: Literal["tpe", "random", "anneal", "adaptive"] = "tpe"
    backend: Literal["hyperopt", "optuna"] = Field(default="hyperopt", description="optuna is an extra")
    seed: int = Field(default=0, ge=0)
    space: dict[Identifier, Distribution] = Field(default={})


def list_params(space: Space) -> list[str]:
    """Names of all parameters that a space can give, each once."""
    return list(dict.fromkeys(_walk_params(space)))


def _walk_params(space: Space) -> Iterator[str]:
    for name, distribution in space.items():
        nested = [option for option in distribution.options if isinstance(option, Mapping)]
        if not distribution.options or len(nested) < len(distribution.options):
            yield name
        for option in nested:
            yield from (key for key, value in option.items() if not isinstance(value, Distribution))
            yield from _walk_params({key: value for key, value in option.items() if isinstance(value, Distribution)})


def _check_numbers(kind: str, numbers: tuple[Number, ...]) -> None:
    first, second, *step = numbers
    if kind.endswith("normal") and second <= 0:
        raise ValueError(f"{kind}: a standard deviation above zero")
    if not kind.endswith("normal") and first >= second:
        raise ValueError(f"{kind}: the lowest value before the highest")
    if "log" in kind and first <= 0:
        raise ValueError(f"{kind}: values above zero")
    if step and step[0] <= 0:
        raise ValueError(f"{kind}: a step above zero")
    if kind.endswith("int") and not (float(first).is_integer() and float(second).is_integer()):
        raise ValueError(f"{kind}: whole numbers")
