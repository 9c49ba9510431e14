"""Two registered versions -> what differs between their trainings, and whether one is better on the same rows."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sparkml_ops.errors import ModelError, TrainingSetNotFoundError
from sparkml_ops.features import KeyChange, describe_training_set
from sparkml_ops.models import (
    ModelVersion,
    RecordedTraining,
    Tracking,
    compare_environments,
    load_environment,
    load_version,
    read_training,
)
from sparkml_ops.training.differences import TrainingDifferences, list_differences, list_view_changes
from sparkml_ops.training.same_rows import Contestant, SameRows, judge_same_rows

if TYPE_CHECKING:
    from sparkml_ops.lake import Lake


@dataclass(frozen=True)
class TrainingComparison:
    """What two trainings have in common, and what not.

    Attributes:
        differences: By what was recorded.
        environment: What was installed otherwise, in one line.
        same_rows: Both asked on the same test rows; None when that was not wanted.
    """

    differences: TrainingDifferences
    environment: str
    same_rows: SameRows | None


def compare_trainings(
    tracking: Tracking, old: ModelVersion, new: ModelVersion, *, lake: "Lake | None" = None
) -> TrainingComparison:
    """Hold two versions against each other. Nothing is written.

    Args:
        tracking: Where they are registered.
        old: One version.
        new: The other.
        lake: Where the training sets are, to ask both on the same rows; None leaves that out, and needs no Spark.

    Raises:
        ModelError: Files of a version are gone, or are not those that were registered.
    """
    recorded = read_training(tracking, old), read_training(tracking, new)
    differences = list_differences(*recorded)
    environment = _compare_environments(tracking, (old, new), recorded)
    if lake is None:
        return TrainingComparison(differences, environment, None)
    views = tuple(_compare_views(lake, *recorded))
    sides = [Contestant(one, load_version(tracking, at)) for one, at in zip(recorded, (old, new), strict=True)]
    return TrainingComparison(
        replace(differences, configuration=differences.configuration + views),
        environment,
        judge_same_rows(lake, *sides),
    )


def _compare_views(lake: "Lake", old: RecordedTraining, new: RecordedTraining) -> Iterator[KeyChange]:
    try:
        made = [describe_training_set(lake, one.training_set) for one in (old, new)]
    except TrainingSetNotFoundError:
        return  # the hashes of the definitions tell whether they differ
    yield from list_view_changes(made[0].definition, made[1].definition)


def _compare_environments(
    tracking: Tracking, versions: tuple[ModelVersion, ModelVersion], recorded: tuple[RecordedTraining, RecordedTraining]
) -> str:
    told = list(_compare_surroundings(*recorded))
    hashes = [one.environment.get("hash") for one in recorded]
    if None in hashes:
        return "; ".join([*told, "what was installed is not recorded of both"])
    if hashes[0] != hashes[1]:
        try:
            there = [
                load_environment(tracking, at, expected_hash=one.environment["hash"])
                for at, one in zip(versions, recorded, strict=True)
            ]
        except ModelError as error:
            return "; ".join([*told, f"another one; what differs is not known: {error}"])
        told += compare_environments(there[0], there[1]).describe()
    return "; ".join(told) or "the same"


def _compare_surroundings(old: RecordedTraining, new: RecordedTraining) -> Iterator[str]:
    if old.code_version != new.code_version:
        yield f"code {old.code_version or 'unknown'} -> {new.code_version or 'unknown'}"
    for name, what in (("spark", "Spark"), ("threads", "threads")):
        before, after = old.recipe.get(name), new.recipe.get(name)
        if before is not None and after is not None and before != after:
            yield f"{what} {before} -> {after}"
