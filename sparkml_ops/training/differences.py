"""What differs between two trainings by what was recorded of them. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.features import KeyChange, compare_definitions

if TYPE_CHECKING:
    from sparkml_ops.models import RecordedFigure, RecordedTraining

_SURROUNDINGS = ("spark", "threads")
"""What a recipe has that is no setting of the YAML."""


@dataclass(frozen=True)
class FigurePair:
    """A figure of both on the test rows of their own training sets."""

    metric: str
    old: "RecordedFigure"
    new: "RecordedFigure"


@dataclass(frozen=True)
class TrainingDifferences:
    """What differs; empty parts are alike.

    Attributes:
        old: One training.
        new: The other.
        has_same_rows: Whether both learned from training sets with the same rows, by their hashes; None where one is not recorded.
        has_same_definition: Whether these were made by the same definition.
        rows: Rows by part, old and new; None on the side that did not record them.
        features_added: Columns that only the new one asks for.
        features_removed: Columns that only the old one asks for, and why the new one was not given them where that is recorded.
        params: Parameters, and `rounds`, that differ.
        configuration: Keys of the YAML that training read, as they were then.
        figures: Side by side, each on its own test rows.
    """

    old: "RecordedTraining"
    new: "RecordedTraining"
    has_same_rows: bool | None
    has_same_definition: bool | None
    rows: Mapping[str, tuple[int | None, int | None]]
    features_added: tuple[str, ...]
    features_removed: Mapping[str, str]
    params: tuple[KeyChange, ...]
    configuration: tuple[KeyChange, ...]
    figures: tuple[FigurePair, ...]


def list_differences(old: "RecordedTraining", new: "RecordedTraining") -> TrainingDifferences:
    """Hold two trainings against each other."""
    return TrainingDifferences(
        old=old,
        new=new,
        has_same_rows=_is_same(old.content_hash, new.content_hash),
        has_same_definition=_is_same(old.definition_hash, new.definition_hash),
        rows={part: (old.rows.get(part), new.rows.get(part)) for part in dict.fromkeys([*old.rows, *new.rows])},
        features_added=tuple(name for name in new.features if name not in old.features),
        features_removed={name: new.left_out.get(name, "") for name in old.features if name not in new.features},
        params=tuple(_compare_values(old.params, new.params)),
        configuration=tuple(_compare_recipes(old.recipe, new.recipe)),
        figures=tuple(_pair_figures(old, new)),
    )


def list_view_changes(old_definition: str, new_definition: str) -> Iterator[KeyChange]:
    """Keys of the feature views that differ between the definitions of two training sets, which no recipe has."""
    for change in compare_definitions(old_definition, new_definition):
        if change.key.startswith("features."):
            yield change


def _compare_values(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[KeyChange]:
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield KeyChange(name, old.get(name), new.get(name))


def _compare_recipes(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[KeyChange]:
    """Nothing where one was trained by a release that kept none: every key would seem to be new."""
    if old and new:
        plain = [json.dumps({k: v for k, v in one.items() if k not in _SURROUNDINGS}) for one in (old, new)]
        yield from compare_definitions(plain[0], plain[1])


def _pair_figures(old: "RecordedTraining", new: "RecordedTraining") -> Iterator[FigurePair]:
    for metric in [name for name in old.figures if name in new.figures]:
        yield FigurePair(metric, old.figures[metric], new.figures[metric])


def _is_same(old: str | None, new: str | None) -> bool | None:
    return None if old is None or new is None else old == new
