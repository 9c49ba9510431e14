"""What a view's table was built from: noted in the very commit that holds its rows."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sparkml_ops.features.definitions import features_table, hash_view
from sparkml_ops.lake import commits_in_effect, find_change, read_history, table_exists, table_id
from sparkml_ops.lake.history import WrittenBy

if TYPE_CHECKING:
    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.lake import Lake

_RECENT = 20  # commits that are looked at before the whole history is


@dataclass(frozen=True)
class Input:
    """A table that was read: Delta's id of it, and its version."""

    id: str
    version: int


@dataclass(frozen=True)
class Built:
    """The state of a view's table: it holds what its definition makes of these inputs.

    Attributes:
        definition: hash of the definition.
        inputs: by table name.
        version: of the view's table; -1 before it is written.
        is_ours: nobody else changed its rows since.
    """

    definition: str
    inputs: Mapping[str, Input]
    version: int = -1
    is_ours: bool = True

    def to_fingerprint(self, mark: str = "") -> str:
        """As a commit notes it; with a mark it is like no other, so that it is written whatever is there."""
        inputs = {table: [one.id, one.version] for table, one in sorted(self.inputs.items())}
        told = {"definition": self.definition, "inputs": inputs, **({"mark": mark} if mark else {})}
        return json.dumps(told, sort_keys=True)


def name_write(view: str) -> str:
    """The name of the writes that leave a view's table in a noted state."""
    return f"features:{view}"


def read_built(lake: "Lake", view: str) -> Built | None:
    """The state of a view's table; None where there is no table, or nobody noted what it was built from."""
    table = features_table(view)
    if not table_exists(lake, table):
        return None
    for limit in (_RECENT, None):
        history = read_history(lake, table, limit=limit)
        newest = next((commit for commit in commits_in_effect(history) if commit.write_id == name_write(view)), None)
        if newest is not None and not any(entry["operation"] == "RESTORE" for entry in history):
            break
    return None if newest is None else _parse_note(newest, history)


def _parse_note(newest: WrittenBy, history: Sequence[Mapping[str, Any]]) -> Built | None:
    try:
        told = json.loads(newest.fingerprint)
        inputs = {name: Input(*one) for name, one in told["inputs"].items()}
        definition = str(told["definition"])
    except (ValueError, KeyError, TypeError):  # an earlier release noted something else
        return None
    changed = find_change(history)
    return Built(definition, inputs, newest.version, is_ours=changed is None or changed <= newest.version)


def note_inputs(lake: "Lake", view: "FeatureView", versions: Mapping[str, int]) -> Built:
    """What a table would be that is built now, from these versions."""
    return Built(hash_view(view), {table: Input(table_id(lake, table), version) for table, version in versions.items()})


def read_built_at(lake: "Lake", view: str, version: int) -> Built | None:
    """What a version of a view's table was built from; None where nobody noted it, or the history does not reach so far back.

    Raises:
        TableNotFoundError: there is no such table.
    """
    history = [entry for entry in read_history(lake, features_table(view)) if entry["version"] <= version]
    newest = next((commit for commit in commits_in_effect(history) if commit.write_id == name_write(view)), None)
    return None if newest is None else _parse_note(newest, history)
