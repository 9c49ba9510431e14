"""The version that answers, and the thread that follows the registry.

A new version is loaded beside the one that answers and asked once before it takes over; the exchange is one assignment, so that a
request has one version from beginning to end. Whatever goes wrong, the version that answers goes on answering, and it is told why.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sparkml_ops.errors import ModelNotFoundError
from sparkml_ops.models import find_version, list_aliases, load_version, recorded_threshold, score_batch
from sparkml_ops.serving.asked_columns import AskedColumn, plan_columns
from sparkml_ops.serving.rows import lay_columns

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase
    from sparkml_ops.models import ModelVersion, PackagedModel, Tracking
    from sparkml_ops.serving.metrics import Metrics

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Champion:
    """A version that can answer.

    Attributes:
        version: in the registry.
        model: the package.
        columns: those it needs, and where they come from.
        threshold: the probability from which `predicted_class` is 1; None where its answers are no two classes.
        since: when it took over.
    """

    version: "ModelVersion"
    model: "PackagedModel"
    columns: tuple[AskedColumn, ...]
    threshold: float | None
    since: datetime


class ChampionWatch:
    """Follows the alias of the role that publishes.

    Attributes:
        current: the version that answers; None before the first.
        trouble: what went wrong at the last look; None when nothing did.
    """

    def __init__(self, use_case: "UseCase", tracking: "Tracking", metrics: "Metrics") -> None:
        self.current: Champion | None = None
        self.trouble: str | None = None
        self._use_case, self._tracking, self._metrics = use_case, tracking, metrics
        self._alias = use_case.scoring.publisher

    def look(self) -> None:
        """Take over what the alias points to, if it is not what answers already."""
        try:
            number = list_aliases(self._tracking, self._use_case.name).get(self._alias)
            if self.current is None or number != self.current.version.version:
                self._take_over(number)
            self.trouble = None
        except Exception as error:  # noqa: BLE001  # whatever the registry or a package does, the version that answers goes on
            self._tell(f"{error}" or type(error).__name__)

    def _take_over(self, number: int | None) -> None:
        if number is None:
            raise ModelNotFoundError(
                f"the model {self._use_case.name} has no version with the alias {self._alias}: `sparkml-ops promote` gives it to one"
            )
        version = find_version(self._tracking, self._use_case.name, version=number)
        loaded = open_champion(self._use_case, version, load_version(self._tracking, version))
        warm_up(loaded)
        self.current = loaded
        self._metrics.count_reload("loaded")
        logger.info("version %d of %s answers from now on", number, version.name)

    def _tell(self, trouble: str) -> None:
        self._metrics.count_reload("failed")
        if trouble != self.trouble:
            still = "nothing answers yet" if self.current is None else f"version {self.current.version.version} goes on"
            logger.warning("the champion cannot be taken over, %s: %s", still, trouble)
        self.trouble = trouble

    @contextmanager
    def follow(self, every: float) -> Iterator[None]:
        """Look again every so many seconds, for as long as the block runs."""
        ended = threading.Event()

        def watch() -> None:
            while not ended.wait(every):
                self.look()

        # A registry that hangs must not keep the process from ending.
        threading.Thread(target=watch, name="champion", daemon=True).start()
        try:
            yield
        finally:
            ended.set()


def open_champion(use_case: "UseCase", version: "ModelVersion", model: "PackagedModel") -> Champion:
    """A loaded version, made ready for requests; the threshold is the one that `score` takes."""
    threshold = None
    if model.task == "binary":
        declared = use_case.scoring.threshold
        threshold = recorded_threshold(model.metadata) if declared is None else declared
    return Champion(version, model, plan_columns(use_case, model), threshold, datetime.now(UTC))


def warm_up(champion: Champion) -> None:
    """Ask for one row: a version that cannot answer does not take over, and the first request does not wait for what is read late.

    Raises:
        ModelError: it answers with what cannot be.
    """
    levels = {column.name: column.levels for column in champion.model.encoder.columns}
    plain = {"number": 0.0, "boolean": False}
    row = {
        column.name: next(iter(levels.get(column.name, ())), "") if column.kind == "text" else plain[column.kind]
        for column in champion.columns
    }
    score_batch(lay_columns(champion.columns, [row]), champion.model, segment=True)
