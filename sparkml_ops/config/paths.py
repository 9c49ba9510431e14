"""Relative paths of the configuration start from the project folder, never from the working directory."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
CATALOG_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*){1,2}")  # a folder of such a name is written ./like.this
_SQLITE = "sqlite:///"
ONLINE_FILE = "data/online/{use_case}.sqlite"
"""Where published features are unless the configuration says otherwise."""
_MLFLOW_WORDS = re.compile(r"databricks|uc$")  # names of services that look like relative paths


def resolve_path(path: str, project: Path) -> str:
    """A path from the project folder; absolute ones and URLs are left alone."""
    return path if not path or _URL.match(path) else str(project / Path(path).expanduser())


def resolve_mlflow_uri(uri: str, project: Path) -> str:
    """An MLflow address; the file of a relative `sqlite:///` is looked for in the project folder."""
    if uri.startswith(_SQLITE):
        file = uri.removeprefix(_SQLITE)
        return f"{_SQLITE}{file if file.startswith(':') else project / file}"
    return uri if _MLFLOW_WORDS.match(uri) else resolve_path(uri, project)


def resolve_environment(values: Mapping[str, Any], project: Path) -> dict[str, Any]:
    """An environment's values with its paths resolved; what is no text is left for the sections to refuse."""
    return {
        **_change(values, ("reports",), resolve_path, project),
        "lake": _change(values.get("lake"), ("root",), resolve_path, project),
        "mlflow": _change(
            _change(values.get("mlflow"), ("artifact_location",), resolve_path, project),
            ("tracking_uri", "registry_uri"),
            resolve_mlflow_uri,
            project,
        ),
    }


def resolve_sources(values: Mapping[str, Any], project: Path | None) -> dict[str, Any]:
    """A use case's values with the paths of its sources resolved."""
    sources = values.get("sources")
    if project is None or not isinstance(sources, Mapping):
        return dict(values)
    resolved = {name: _change(source, _paths_of(source), resolve_path, project) for name, source in sources.items()}
    return {**values, "sources": resolved}


def resolve_serving(values: Mapping[str, Any], project: Path | None) -> dict[str, Any]:
    """A use case's values with the file of its online store, which is in the project unless another is named."""
    serving = values.get("serving", {})
    store = serving.get("store", {"kind": "sqlite"}) if isinstance(serving, Mapping) else None
    if project is None or not isinstance(store, Mapping) or store.get("kind") != "sqlite":
        return dict(values)
    placed = {"path": ONLINE_FILE.format(use_case=values.get("name")), **store}
    return {**values, "serving": {**serving, "store": _change(placed, ("path",), resolve_path, project)}}


def resolve_exports(values: Mapping[str, Any], project: Path | None) -> dict[str, Any]:
    """A use case's values with the folders of its exports resolved."""
    exports = values.get("exports")
    if project is None or not isinstance(exports, Mapping):
        return dict(values)
    return {
        **values,
        "exports": {name: _change(export, ("path",), resolve_path, project) for name, export in exports.items()},
    }


def _paths_of(source: Any) -> tuple[str, ...]:
    """The keys of a source that are paths: a function's name and a table's name in a catalog are none."""
    kind, path = (source.get("format"), source.get("path")) if isinstance(source, Mapping) else (None, None)
    is_name = kind == "python" or (kind == "delta" and isinstance(path, str) and CATALOG_NAME.fullmatch(path))
    return () if is_name else ("path",)


def _change(values: Any, keys: tuple[str, ...], resolve: Callable[[str, Path], str], project: Path) -> Any:
    if not isinstance(values, Mapping):
        return values
    changed = {key: resolve(value, project) for key, value in values.items() if key in keys and isinstance(value, str)}
    return {**values, **changed}
