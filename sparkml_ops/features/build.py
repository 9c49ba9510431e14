"""Build feature tables: declared views in, `features_<view>` out."""

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from sparkml_ops.config.comments import comment_view
from sparkml_ops.errors import ConfigError
from sparkml_ops.features.definitions import hash_view
from sparkml_ops.features.events import find_events, says_nothing
from sparkml_ops.features.lookup import features_table
from sparkml_ops.features.observations import observe_events
from sparkml_ops.features.statistics import record_statistics
from sparkml_ops.features.windows import aggregate_events
from sparkml_ops.lake import Commit, change_versions, new_run_id, record_step, replace_table, resolve_relation
from sparkml_ops.lake.describe import with_comments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame

    from sparkml_ops.config.features import FeatureView
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.lake import Lake

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class FeaturesResult:
    """What a build did.

    Attributes:
        run_id: the run it belongs to.
        views: the commit of each view's table, by view; skipped_duplicate where nothing had changed.
    """

    run_id: str
    views: dict[str, Commit]


def build_features(
    use_case: "UseCase", lake: "Lake", *, views: Sequence[str] | None = None, run_id: str | None = None
) -> FeaturesResult:
    """Build the tables of some feature views, each in one commit; one that is up to date is left as it is.

    Args:
        use_case: the use case.
        lake: where its tables are.
        views: names of the views; all of them by default.
        run_id: the run this belongs to; a new one by default.

    Raises:
        ConfigError: a view is unknown, or does not fit its relation.
        TableNotFoundError: a table that a view is made from is not there.
    """
    names = list(use_case.features) if views is None else list(views)
    for name in names:
        _require_view(use_case, name)
    run = run_id or new_run_id()
    return FeaturesResult(run, {name: _build_view(use_case, lake, name=name, run_id=run) for name in names})


def compute_features(rows: "DataFrame", view: "FeatureView", *, name: str) -> "DataFrame":
    """Rows of a view's table, from the rows of its relation.

    Raises:
        ConfigError: the view does not fit the relation.
    """
    events = find_events(rows, view, name=name)
    compute = aggregate_events if view.aggregates else observe_events
    return compute(events, view, name=name)


def _build_view(use_case: "UseCase", lake: "Lake", *, name: str, run_id: str) -> Commit:
    view = use_case.features[name]
    definition = hash_view(view)
    with record_step(lake, run_id=run_id, step=f"features:{name}", config_hash=definition) as record:
        rows, inputs = resolve_relation(lake, view.relation)
        features = with_comments(compute_features(rows, view, name=name), comment_view(view))
        write_id = _name_write(name, definition, change_versions(lake, inputs))
        commit = replace_table(lake, features_table(name), features, write_id=write_id)
        for table, version in inputs.items():
            record.read(table, version)
        record.wrote(commit)
        if commit.status == "committed":
            left_out = find_events(rows, view, name=name).agg(F.count_if(says_nothing(view))).collect()[0][0]
            record.note("events_left_out", left_out)
            logger.info("features %s: %d rows in v%d, %d events left out", name, commit.rows, commit.version, left_out)
        record_statistics(use_case, lake, view=name, commit=commit, run_id=run_id)
    return commit


def _name_write(name: str, definition: str, inputs: "Mapping[str, int]") -> str:
    """The same view of the same inputs is the same write."""
    read = ",".join(f"{table}@{version}" for table, version in sorted(inputs.items()))
    return f"features:{name}:{definition}:{hashlib.sha256(read.encode()).hexdigest()[:16]}"


def _require_view(use_case: "UseCase", name: str) -> None:
    if name not in use_case.features:
        nearest = get_close_matches(name, use_case.features, n=1)
        hint = f" Did you mean {nearest[0]}?" if nearest else ""
        raise ConfigError(
            f"{use_case.name} has no feature view {name}.{hint} There are: {', '.join(use_case.features)}."
        )
