"""A feature view that is being thought about: valid, computable, and written nowhere."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.locations import show_file
from sparkml_ops.config.mistakes import show_value
from sparkml_ops.config.yaml_text import read_yaml
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import take_rows
from sparkml_ops.features.compute import compute_features, restate_windows
from sparkml_ops.lake import resolve_relation
from sparkml_ops.notebook.check import CheckResult, check_view
from sparkml_ops.notebook.document import document_view
from sparkml_ops.notebook.examples import DEFAULT_MOMENT, DEFAULT_TOLERANCE, Examples, ExamplesResult, try_examples
from sparkml_ops.notebook.preview import DEFAULT_ROWS, parse_moment, require_frame, show_known, show_newest
from sparkml_ops.notebook.yaml_values import to_yaml_value

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features import ViewRows
    from sparkml_ops.lake import Lake
    from sparkml_ops.notebook.typed_rows import Row


@dataclass(frozen=True)
class UseCaseFile:
    """The file of a use case, and how it is read.

    Attributes:
        path: the file.
        conf_dir: the configuration folder.
        env: name of the environment; None for the default.
        overrides: values laid over it.
    """

    path: Path
    conf_dir: Path
    env: str | None = None
    overrides: Mapping[str, str] = field(default_factory=dict)

    def load(self, views: Mapping[str, Any] | None = None) -> "UseCase":
        """Read it, with some views laid over its own.

        Raises:
            ConfigError: with every mistake there is.
        """
        return load_use_case(
            self.path, env=self.env, conf_dir=self.conf_dir, overrides=dict(self.overrides), views=views
        )

    def digest(self) -> str:
        """Tells whether it has changed.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            return hashlib.sha256(self.path.read_bytes()).hexdigest()
        except OSError as error:
            raise ConfigError(f"{show_file(self.path)} cannot be read: {error.strerror}.") from error


@dataclass(frozen=True, repr=False)
class Draft:
    """A feature view that stands in no table, and perhaps not in the file.

    Attributes:
        name: its name.
        definition: its keys, as they would be written.
        use_case: the use case as it would be with it.
        lake: where the tables are.
        file: the use case's file.
        digest: what the file held when the draft was held against it.
    """

    name: str
    definition: dict[str, Any]
    use_case: "UseCase"
    lake: "Lake"
    file: UseCaseFile
    digest: str

    def __repr__(self) -> str:
        """One line."""
        return f"<draft of {self.name}: {', '.join(self.view.column_names())}>"

    @property
    def view(self) -> "FeatureView":
        """The view as the framework reads it."""
        return self.use_case.features[self.name]

    def compute(self, *, as_known_at: "datetime | None" = None) -> "DataFrame":
        """All rows, as the table would have them; computed when they are asked for.

        Args:
            as_known_at: windows are restated by what was known at this instant; by what was known at each moment by default.

        Raises:
            ConfigError: the view does not fit its relation.
            TableNotFoundError: a table that it is made from is not there.
        """
        rows, _ = resolve_relation(self.lake, self.view.relation)
        if as_known_at is not None and self.view.aggregates:
            return restate_windows(rows, self.view, name=self.name, as_known_at=as_known_at)
        return compute_features(rows, self.view, name=self.name)

    def open(self, *, as_known_at: "datetime | None" = None) -> "ViewRows":
        """Its rows, ready to be looked up; windows restated by what one instant knew, if it is given."""
        return take_rows(self.name, self.view, self.compute(as_known_at=as_known_at))

    def preview(self, *, rows: int = DEFAULT_ROWS, as_of: "str | datetime | None" = None) -> "DataFrame":
        """The newest rows, or with `as_of` what was known about each entity at that instant. It costs what a build costs."""
        if as_of is None:
            return show_newest(self.open(), rows=rows)
        return show_known(self.open(), rows=rows, as_of=parse_moment(as_of, "as_of"))

    def test(
        self,
        events: "Sequence[Row] | Mapping[str, Sequence[Row]]",
        moments: "Sequence[Row]",
        expected: "Sequence[Row]",
        *,
        moment: str = DEFAULT_MOMENT,
        tolerance: float = DEFAULT_TOLERANCE,
    ) -> ExamplesResult:
        """Hold the view against an example: these events, so at these moments these values.

        Args:
            events: rows of the view's relation; or rows by table, which the relation is computed from.
            moments: the entity's columns and the moment of each question.
            expected: the values that each moment should find, by column; columns that are not named are not compared.
            moment: key of the moment in `moments`.
            tolerance: by how much numbers may differ, as a share of the greater one.

        Raises:
            ConfigError: a row names a column that is not there, or a value has another type; says which.
        """
        asked = Examples(events, moments, expected, moment, tolerance)
        return try_examples(self.name, self.view, self.lake, asked)

    def check(self, moments: "DataFrame | None" = None, *, timestamp: str | None = None) -> CheckResult:
        """Count its rows, nulls and duplicates, and how many moments find a row that is young enough.

        Args:
            moments: rows with the entity columns and a time; the decisions of the dataset by default.
            timestamp: name of the column with the moment.

        Raises:
            ConfigError: the view does not fit its relation, or the moments do not fit the view.
        """
        if moments is not None:
            require_frame(moments, "check")
        return check_view(self.name, self.use_case, self.lake, moments=moments, timestamp=timestamp)

    def document(self) -> str:
        """The view in words, as Markdown, from its definition."""
        return document_view(self.name, self.use_case, self.definition)

    def change(self, **keys: Any) -> "Draft":
        """The draft with other values of some keys; a key that is None is taken out.

        Raises:
            ConfigError: with every mistake.
        """
        kept = {**self.definition, **{_YAML_KEYS.get(key, key): value for key, value in keys.items()}}
        return open_draft(self.file, self.lake, self.name, {key: one for key, one in kept.items() if one is not None})


_YAML_KEYS = {"from_": "from"}
"""Keys that are words of Python's own."""


def read_draft(file: UseCaseFile, lake: "Lake", name: str) -> Draft:
    """A draft of a view as the file has it.

    Raises:
        ConfigError: the file would not load, or has no such view.
    """
    digest, use_case = file.digest(), file.load()
    document, _ = read_yaml(file.path, file=show_file(file.path))
    written = None if document is None else document.values["features"].get(name)
    if written is None:
        raise ConfigError(
            f"{show_file(file.path)} has no feature view {name} now. Open the project anew if somebody has taken it out; a view that "
            "only an override gives is defined with define_view."
        )
    return Draft(name, written, use_case, lake, file, digest)


def open_draft(file: UseCaseFile, lake: "Lake", name: str, definition: Mapping[str, Any]) -> Draft:
    """A draft of a definition.

    Raises:
        ConfigError: with every mistake, as the loader tells it.
    """
    if not isinstance(name, str):
        raise ConfigError(f"a view's name must be text, found {show_value(name)}.")
    if not isinstance(definition, Mapping | BaseModel):
        raise ConfigError(f"features.{name}: expected a mapping with the YAML's keys, found {show_value(definition)}.")
    digest = file.digest()
    try:
        plain = to_yaml_value(definition, place=f"features.{name}")
    except RecursionError as error:
        raise ConfigError(f"features.{name}: nested without end: a mapping or a list holds itself.") from error
    return Draft(name, plain, file.load({name: plain}), lake, file, digest)
