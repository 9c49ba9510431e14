"""The steps of a use case in their order, and which follows from which."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sparkml_ops.catalog import list_sources_read
from sparkml_ops.config.sources import order_sources

if TYPE_CHECKING:
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
        Step(f"features:{name}", "features", name, _ingests(use_case, view.relation))
        for name, view in use_case.features.items()
    ]
    looked_up = tuple(f"features:{name}" for name in use_case.dataset.features)
    decisions, asked = _ingests(use_case, *use_case.dataset.relations()), _ingests(use_case, use_case.scoring.relation)
    return [
        *sources,
        *views,
        Step("dataset", "dataset", None, (*decisions, *looked_up)),
        Step("train", "train", None, ("dataset",)),
        Step("promote", "promote", None, ("train",)),
        Step("score", "score", None, (*asked, *looked_up, "promote")),
        Step("monitor", "monitor", None, (*decisions, "score")),
    ]


def _ingests(use_case: "UseCase", *relations: "Relation") -> tuple[str, ...]:
    read = {name for relation in relations for name in list_sources_read(use_case, relation)}
    return tuple(f"ingest:{name}" for name in use_case.sources if name in read)
