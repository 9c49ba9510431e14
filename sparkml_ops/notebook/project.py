"""A use case, opened: what its file and its tables hold, by the names of the YAML, as Spark DataFrames."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparkml_ops.config.locations import find_use_case, show_file
from sparkml_ops.config.mistakes import list_names, show_value
from sparkml_ops.errors import ConfigError
from sparkml_ops.features import choose_training_set, look_up_features, open_view, read_training_set
from sparkml_ops.features.point_in_time import join_point_in_time
from sparkml_ops.lake import open_lake
from sparkml_ops.notebook.drafts import Draft, UseCaseFile, open_draft, read_draft
from sparkml_ops.notebook.preview import DEFAULT_ROWS, parse_moment, require_frame, show_known, show_newest
from sparkml_ops.notebook.save import SaveResult, save_draft

if TYPE_CHECKING:
    from datetime import datetime

    from pyspark.sql import DataFrame, SparkSession

    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.features import ViewRows
    from sparkml_ops.lake import Lake


def open_project(
    use_case: str | Path,
    *,
    spark: "SparkSession | None" = None,
    env: str | None = None,
    conf_dir: str | Path | None = None,
    overrides: Mapping[str, str] | None = None,
) -> "Project":
    """Open a use case to work with it in a notebook.

    Args:
        use_case: its name, for `conf/<name>.yml`, or the path of its file.
        spark: the session to work in; the active one, or else a new one, by default.
        env: name of the overlay on `base.yml`; by default SPARKML_OPS_ENV, else `local`.
        conf_dir: the configuration folder; by default the file's, or the nearest `conf/` from here up.
        overrides: values by dotted key, as with `--set`.

    Raises:
        ConfigError: the file is wrong; tells every mistake.
        SetupError: no usable Spark session.

    Examples:
        project = sparkml_ops.open_project("flights")
        project.get_training_set().groupBy("split").count().show()
    """
    file, folder = find_use_case(use_case, conf_dir)
    opened = UseCaseFile(file, folder, env, dict(overrides or {}))
    loaded = opened.load()
    return Project(loaded, open_lake(loaded, spark), opened)


@dataclass(repr=False)
class Project:
    """A use case and its tables.

    Attributes:
        use_case: what its file says; anew after `save_view`.
        lake: where its tables are.
        file: the file.
    """

    use_case: "UseCase"
    lake: "Lake"
    file: UseCaseFile

    def __repr__(self) -> str:
        """One line, where a notebook would print the whole configuration."""
        environment = self.use_case.environment.name
        return f"<{self.use_case.name} ({environment}): feature views {', '.join(self.use_case.features)}>"

    @property
    def spark(self) -> "SparkSession":
        """The session that everything is computed in: UTC, ANSI rules."""
        return self.lake.spark

    def get_training_set(self, version: str | None = None) -> "DataFrame":
        """Rows of a version of the training set: entity columns, the moment, `split`, `label` and the features.

        Args:
            version: its name, or a beginning of it that no other has; the newest by default.

        Raises:
            TableNotFoundError: there is no such version.
            ConfigError: several versions begin so.
        """
        if version is not None and not isinstance(version, str):
            raise ConfigError(
                f"get_training_set: expected a version's name, such as 'latest', found {show_value(version)}."
            )
        return read_training_set(self.lake, choose_training_set(self.lake, version or "latest").version)

    def lookup(
        self,
        moments: "DataFrame",
        views: "str | Draft | Sequence[str | Draft] | None" = None,
        *,
        timestamp: str | None = None,
        as_known_at: "str | datetime | None" = None,
    ) -> "DataFrame":
        """Give each row what was known at its moment: columns `<view>__<column>`, after the row's own.

        Args:
            moments: rows with the entity columns of the views and a time.
            views: names of views, or drafts; by default every feature of the dataset, with the derived ones and in the types that
                a model takes.
            timestamp: name of the column with the moment; that of the dataset by default.
            as_known_at: restate all moments by what was known at this instant; by what was known at each by default.

        Raises:
            TableNotFoundError: the table of a view is not built.
            ConfigError: a view is unknown, or moments and views do not fit together.
        """
        require_frame(moments, "lookup")
        at = self._find_moment(moments, timestamp)
        known_at = None if as_known_at is None else parse_moment(as_known_at, "as_known_at")
        if views is None:
            return look_up_features(moments, self.use_case, self.lake, timestamp=at, as_known_at=known_at)[0]
        named = [views] if isinstance(views, str | Draft) or not isinstance(views, Iterable) else list(views)
        opened = [self._open(view, as_known_at=known_at) for view in named]
        twice = sorted({one.name for one in opened if [each.name for each in opened].count(one.name) > 1})
        if twice:
            raise ConfigError(f"{twice[0]} is asked for twice. Ask for it once, or give the draft another name.")
        return join_point_in_time(moments, opened, timestamp=at, as_known_at=known_at)

    def preview(
        self, view: "str | Draft", *, rows: int = DEFAULT_ROWS, as_of: "str | datetime | None" = None
    ) -> "DataFrame":
        """Rows of a view: the newest ones, or with `as_of` one per entity: what was known about it at that instant.

        A view is read from its table, a draft is computed and written nowhere.

        Args:
            view: name of a view, or a draft.
            rows: how many at most.
            as_of: an instant, UTC if it has no zone.

        Raises:
            TableNotFoundError: the view's table is not built.
            ConfigError: the view is unknown.
        """
        opened = self._open(view)
        if as_of is None:
            return show_newest(opened, rows=rows)
        return show_known(opened, rows=rows, as_of=parse_moment(as_of, "as_of"))

    def define_view(self, name: str, definition: Mapping[str, Any]) -> Draft:
        """A feature view as it could stand in the file, to be previewed, tested, checked and documented. Nothing is written.

        Args:
            name: its name.
            definition: its keys, as in the YAML.

        Raises:
            ConfigError: with every mistake, in the words of `sparkml-ops validate`.
        """
        return open_draft(self.file, self.lake, name, definition)

    def open_view(self, name: str) -> Draft:
        """A draft of a view that stands in the file, to look at it or to define it anew by `draft.change(...)`.

        Raises:
            ConfigError: there is no such view.
        """
        self.use_case.require_view(name)
        return read_draft(self.file, self.lake, name)

    def save_view(self, draft: Draft, *, replace: bool = False) -> SaveResult:
        """Write a draft into the use case's file; all other lines stay as they are, to the letter.

        From then on the project knows the view; `sparkml-ops features` builds it, and `dataset.features` decides who learns from it.

        Args:
            draft: what `define_view` gave.
            replace: take the place of the view of this name.

        Raises:
            ConfigError: there is a view of this name, the file would not load, it cannot be written into, or this is no draft of
                this project.
            ConflictError: the file has changed since the draft was defined.
            SetupError: the file cannot be written.
        """
        if not isinstance(draft, Draft):
            raise ConfigError(f"save_view: expected what define_view or open_view gave, found {show_value(draft)}.")
        if draft.file.path.resolve() != self.file.path.resolve():
            raise ConfigError(
                f"features.{draft.name} is a draft of {show_file(draft.file.path)}, and this project is {show_file(self.file.path)}. "
                "Nothing was written. Define it here, or save it with the project that it comes from."
            )
        saved = save_draft(draft, replace=replace)
        self.use_case = self.file.load()
        return saved

    def _open(self, view: "str | Draft", *, as_known_at: "datetime | None" = None) -> "ViewRows":
        if isinstance(view, Draft):
            return view.open(as_known_at=as_known_at)
        self.use_case.require_view(view)
        return open_view(self.lake, view, self.use_case.features[view], as_known_at=as_known_at)

    def _find_moment(self, moments: "DataFrame", timestamp: str | None) -> str:
        at = self.use_case.dataset.timestamp if timestamp is None else timestamp
        if at not in moments.columns:
            raise ConfigError(
                f"lookup: the moments have no column {show_value(at)}. Name the one with the time, timestamp=…; they have: "
                f"{list_names(moments.columns)}."
            )
        return at
