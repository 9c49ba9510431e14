"""The steps of a use case in their order, and which follows from which."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sparkml_ops.config.sources import order_sources
from sparkml_ops.features import order_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sparkml_ops.config.types import Relation
    from sparkml_ops.config.use_case import UseCase

Stage = Literal["ingest", "features", "dataset", "train", "promote", "score", "monitor"]
STAGES: tuple[Stage, ...] = ("ingest", "features", "dataset", "train", "promote", "score", "monitor")


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: as in the run ledger: `ingest:weather`, `features:plane`, `train`, …
        stage: the verb.
        subject: the source or the view; None for stages that have one step.
        follows: names of the steps whose results it reads.
    """

    name: str
    stage: Stage
    subject: str | None
    follows: tuple[str, ...]


def list_steps(use_case: "UseCase") -> list[Step]:
    """All steps, each after those that it follows."""
    sources = [
        Step(f"ingest:{name}", "ingest", name, tuple(f"ingest:{other}" for other in sorted(source.referred_sources())))
        for name, source in order_sources(use_case.sources).items()
    ]
    views = [
        Step(f"features:{name}", "features", name, _find_followed(use_case, use_case.features[name].relation))
        for name in order_views(use_case)
    ]
    looked_up = tuple(f"features:{name}" for name in use_case.dataset.features)
    decisions, asked = (
        _find_followed(use_case, *use_case.dataset.relations()),
        _find_followed(use_case, use_case.scoring.relation),
    )
    return [
        *sources,
        *views,
        Step("dataset", "dataset", None, (*decisions, *looked_up)),
        Step("train", "train", None, ("dataset",)),
        Step("promote", "promote", None, ("train",)),
        Step("score", "score", None, (*asked, *looked_up, "promote")),
        Step("monitor", "monitor", None, (*decisions, "score")),
    ]


def count_depth(steps: "Sequence[Step]") -> dict[str, int]:
    """How many steps of its own stage must end before each step, one after the other."""
    stage = {step.name: step.stage for step in steps}
    depth: dict[str, int] = {}
    for step in steps:
        before = [depth[name] + 1 for name in step.follows if stage.get(name) == step.stage]
        depth[step.name] = max(before, default=0)
    return depth


def _find_followed(use_case: "UseCase", *relations: "Relation") -> tuple[str, ...]:
    read = use_case.tables_read(*relations)
    sources = [f"ingest:{name}" for name in use_case.sources if f"clean_{name}" in read]
    return *sources, *(f"features:{name}" for name in use_case.features if f"features_{name}" in read)
