"""A draft into the file of its use case: whole, or not at all."""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_ops.config.locations import show_file
from sparkml_ops.config.yaml_entries import put_entry
from sparkml_ops.config.yaml_text import read_yaml
from sparkml_ops.errors import ConfigError, ConflictError, SetupError

if TYPE_CHECKING:
    from sparkml_ops.notebook.drafts import Draft

logger = logging.getLogger(__name__)

_SECTION = "features"
_MARK = b"\xef\xbb\xbf"  # some editors begin a file with it


@dataclass(frozen=True)
class SaveResult:
    """Where a view stands now.

    Attributes:
        view: its name.
        path: the file.
        line: line of its key, from 1.
        replaced: whether it took the place of another definition.
    """

    view: str
    path: Path
    line: int
    replaced: bool


def save_draft(draft: "Draft", *, replace: bool) -> SaveResult:
    """Write the draft among the feature views of the file; every other line stays as it is.

    The new text is loaded by the ordinary loader before it takes the file's place in one step, so the file is never wrong, cut off
    or gone, whatever ends this process.

    Raises:
        ConfigError: there is a view of this name, the file would not load, or its lay-out leaves no room for the view.
        ConflictError: the file has changed since the draft was defined, or somebody else is saving.
        SetupError: the file cannot be written.
    """
    _require_importable(draft)
    path = draft.file.path.resolve()  # a link stays a link
    with _alone(path):
        digest = draft.file.digest()  # first, since it tells of a file that is gone
        content = path.read_bytes()
        if digest != draft.digest:
            raise ConflictError(
                f"{show_file(draft.file.path)} has changed since features.{draft.name} was defined: nothing was written. "
                "Define the view again, so that it is held against what the file says now."
            )
        document, _ = read_yaml(path, file=show_file(path))
        is_there = document is not None and draft.name in document.values[_SECTION]
        if is_there and not replace:
            raise ConfigError(
                f"{show_file(draft.file.path)} has a feature view {draft.name}: nothing was written. "
                "save_view(draft, replace=True) takes its place; another name leaves it."
            )
        new = put_entry(content.removeprefix(_MARK).decode(), _SECTION, draft.name, draft.definition).encode()
        _replace_file(draft, path, (_MARK if content.startswith(_MARK) else b"") + new)
    written, _ = read_yaml(path, file=show_file(path))
    line = written.places[_SECTION, draft.name].line if written is not None else 0
    logger.info("features %s: written to %s, line %d", draft.name, draft.file.path, line)
    return SaveResult(draft.name, draft.file.path, line, replaced=is_there)


def _require_importable(draft: "Draft") -> None:
    """A function of the notebook itself is known to no other process."""
    function = draft.view.relation.python
    if function is not None and function.partition(":")[0] == "__main__":
        raise ConfigError(
            f"features.{draft.name}.from: {function} is a function of this notebook, which no other process can import. "
            "Put it into a module, and write python: package.module:function."
        )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep out other notebooks between the look at the file and the step that replaces it."""
    try:
        folder = os.open(path.parent, os.O_RDONLY)
    except OSError as error:
        raise SetupError(f"{path.parent} cannot be opened: {error.strerror}. Nothing was written.") from error
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(
                f"somebody else is saving a view into {path.parent}: nothing was written. Try again."
            ) from error
        except OSError as error:
            # Some mounted storage knows no locks; what the file held is looked at all the same.
            logger.warning("no lock on %s (%s): save from one notebook at a time", path.parent, error.strerror)
        yield
    finally:
        os.close(folder)


def _replace_file(draft: "Draft", path: Path, content: bytes) -> None:
    """Write beside the file, load what was written, and only then let it take the file's place."""
    folder = None
    try:
        # A folder, because a use case's file must be called as the use case is.
        folder = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name}."))
        beside = folder / draft.file.path.name
        with beside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        shutil.copymode(path, beside)
        _require_loads(draft, beside)
        beside.replace(path)
    except OSError as error:
        raise SetupError(
            f"{show_file(path)} cannot be written: {error.strerror}. It is as it was; check its folder's rights and space."
        ) from error
    finally:
        if folder is not None:
            with suppress(OSError):  # what is left is empty, hidden, and in nobody's way
                shutil.rmtree(folder)


def _require_loads(draft: "Draft", beside: Path) -> None:
    from dataclasses import replace

    try:
        loaded = replace(draft.file, path=beside).load()
    except ConfigError as error:
        raise ConfigError(
            f"the file would not load with features.{draft.name}, so it stays as it was. {error}"
        ) from error
    if loaded.features[draft.name] != draft.view:
        raise ConfigError(
            f"features.{draft.name} would be read as something else than was tried out, so the file stays as it was. "
            "Something outside the file, such as an override, changes it."
        )
