"""Where the configuration is, and where the paths in it lead."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

from sparkml_ops.config.mistakes import list_names, nearest_name, show_value
from sparkml_ops.config.types import IDENTIFIER_PATTERN
from sparkml_ops.errors import ConfigError

BASE = "base"
_SUFFIXES = (".yml", ".yaml")
_LONGEST_NAME = 64
_USE_CASE_KEY = re.compile(r"^(sources|features|dataset|model|scoring)\s*:", re.MULTILINE)


def find_conf_dir(conf_dir: str | Path | None = None) -> Path:
    """The folder with `base.yml`: as given, else the nearest `conf/` from the working directory up.

    Raises:
        ConfigError: there is none.
    """
    if conf_dir is not None:
        folder = _absolute(str(conf_dir))
        if not folder.is_dir():
            raise ConfigError(f"{show_value(str(conf_dir))} is no folder; it should hold base.yml and the use cases.")
        return folder
    here = Path.cwd()
    for above in (here, *here.parents):
        if (above / "conf" / f"{BASE}.yml").is_file():
            return above / "conf"
    raise ConfigError(
        f"there is no conf/base.yml in {here} or above it. Go to the project, name the folder, "
        "or make a project with 'sparkml-ops init NAME'."
    )


def find_use_case(use_case: str | Path, conf_dir: str | Path | None = None) -> tuple[Path, Path]:
    """The file of a use case and its configuration folder.

    Args:
        use_case: a name, or the path of a YAML file.
        conf_dir: the folder; by default a file's own folder, and the nearest `conf/` for a name.

    Raises:
        ConfigError: no such use case; names those that are there.
    """
    text = _refuse_nul(str(use_case))
    if isinstance(use_case, Path) or "/" in text or "\\" in text or text.endswith(_SUFFIXES):
        file = _absolute(text)
        if file.suffix not in _SUFFIXES or not _is_file(file):
            raise ConfigError(
                f"{show_value(text)}: no such YAML file. Give a use case's name, or the path of its file."
            )
        return file, find_conf_dir(conf_dir if conf_dir is not None else file.parent)
    folder = find_conf_dir(conf_dir)
    known = list_use_cases(folder)
    is_name = re.fullmatch(IDENTIFIER_PATTERN, text) is not None and len(text) <= _LONGEST_NAME
    if not is_name:
        raise ConfigError(
            f"{show_value(text)} is no name of a use case: letters, digits and _ alone, at most {_LONGEST_NAME}, "
            f"no digit first. Use cases in {show_file(folder)}: {list_names(known)}."
        )
    if text not in known:
        raise ConfigError(_unknown("use case", text, known, folder))
    return folder / f"{text}.yml", folder


def find_overlay(env: str, conf_dir: Path) -> Path:
    """The file that is laid over `base.yml` for an environment.

    Raises:
        ConfigError: no such environment; names those that are there.
    """
    known = list_environments(conf_dir)
    if env not in known:
        raise ConfigError(_unknown("environment", env, known, conf_dir))
    return conf_dir / f"{env}.yml"


def list_use_cases(conf_dir: str | Path | None = None) -> list[str]:
    """Names of the use cases in a configuration folder: its files that are neither base nor overlay."""
    folder = find_conf_dir(conf_dir)
    return [name for name in _list_names(folder) if _is_use_case(folder / f"{name}.yml")]


def list_environments(conf_dir: str | Path | None = None) -> list[str]:
    """Names of the environments in a configuration folder: its overlays of `base.yml`."""
    folder = find_conf_dir(conf_dir)
    return [name for name in _list_names(folder) if not _is_use_case(folder / f"{name}.yml")]


def show_file(path: Path) -> str:
    """A file as the user would name it: relative to the working directory when it lies below."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _list_names(folder: Path) -> list[str]:
    return sorted(file.stem for file in folder.glob("*.yml") if file.stem != BASE and file.is_file())


def _is_use_case(file: Path) -> bool:
    """Whether a file has a section that only use cases have; told from the text, so that a broken file counts too."""
    return _USE_CASE_KEY.search(file.read_text(encoding="utf-8", errors="replace")) is not None


def _unknown(kind: str, name: str, known: Iterable[str], folder: Path) -> str:
    nearest = nearest_name(name, known)
    hint = f" Did you mean '{nearest}'?" if nearest else ""
    return f"there is no {kind} {show_value(name)} in {show_file(folder)}; there are: {list_names(known)}.{hint}"


def _absolute(path: str) -> Path:
    """Without `..`, but with links as they are: the project folder is where the user sees it."""
    return Path(os.path.abspath(_refuse_nul(path)))  # noqa: PTH100


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise ConfigError(f"{show_value(text)} holds a NUL character; no file has such a name.")
    return text


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, for one
        return False
