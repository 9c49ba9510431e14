"""Which step reads and writes which tables, by the configuration; and what lies downstream. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkml_ops.config.types import Relation
    from sparkml_ops.config.use_case import UseCase

TRAINING_SET = "training_set"
"""Stands for the tables of all versions of the training set."""


@dataclass(frozen=True)
class StepTables:
    """A step, and the tables that it reads and writes."""

    step: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]


def list_step_tables(use_case: "UseCase") -> list[StepTables]:
    """All steps in their order."""

    def read(*relations: "Relation") -> tuple[str, ...]:
        return tuple(use_case.tables_read(*relations))

    features = tuple(f"features_{view}" for view in use_case.dataset.features)
    decisions, asked = read(*use_case.dataset.relations()), read(use_case.scoring.relation)
    published = ("predictions", "prediction_batches", "predictions_current")
    return [
        *(
            StepTables(f"ingest:{name}", (), (f"clean_{name}", f"quarantine_{name}", "ingested_files"))
            for name in use_case.sources
        ),
        *(
            StepTables(f"features:{name}", read(view.relation), (f"features_{name}",))
            for name, view in use_case.features.items()
        ),
        StepTables("dataset", (*decisions, *features), ("training_sets", TRAINING_SET)),
        StepTables("train", ("training_sets", TRAINING_SET), ("trials", "metrics")),
        StepTables("promote", (TRAINING_SET,), ("promotions",)),
        StepTables("score", (*asked, *features), published),
        StepTables("monitor", (*decisions, "predictions", "prediction_batches"), ("metrics", "alerts")),
    ]


def name_in_lineage(table: str) -> str:
    """A table as the lineage names it: all versions of the training set are one."""
    return TRAINING_SET if table.startswith("training_set_") else table


def follow_downstream(table: str, steps: Sequence[StepTables]) -> dict[str, tuple[str, ...]]:
    """Every step that a change of the table reaches, in order, each with the tables that it writes.

    A new model serves the next batch, so what `train` makes reaches `promote` and `score`, though no table passes it on.
    """
    passes_on: Mapping[str, Sequence[str]] = {"train": ("promote",), "promote": ("score",)}
    reached: dict[str, tuple[str, ...]] = {}
    tables = {name_in_lineage(table)}
    while True:
        new = [
            step
            for step in steps
            if step.step not in reached
            and (tables & set(step.reads) or any(step.step in passes_on.get(name, ()) for name in reached))
        ]
        if not new:
            order = [step.step for step in steps]
            return dict(sorted(reached.items(), key=lambda item: order.index(item[0])))
        for step in new:
            reached[step.step] = step.writes
            tables |= set(step.writes) - {"metrics", "ingested_files"}
