"""Tables -> the summary page of a use case, the pages of its feature views and experiments, and their figures as JSON. It reads tables and writes none."""

import logging
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from sparkml_ops.catalog import read_view_stories
from sparkml_ops.errors import SetupError
from sparkml_ops.lake import Lake
from sparkml_ops.reporting.candidates import find_champion, list_slices, read_decisions, read_model
from sparkml_ops.reporting.experiment_page import render_experiments_html, render_experiments_json
from sparkml_ops.reporting.facts import COMPARED_METRICS, Facts
from sparkml_ops.reporting.feature_page import FeatureFacts, render_features_html, render_features_json
from sparkml_ops.reporting.learning import list_sources, list_violations, read_training_set
from sparkml_ops.reporting.ledger import read_newest_steps, read_recent_steps, read_tables
from sparkml_ops.reporting.page import render_html, render_json
from sparkml_ops.reporting.published import find_last_look, list_alerts, read_scoring
from sparkml_ops.reporting.rows import read_metrics
from sparkml_ops.reporting.searched import read_experiments
from sparkml_ops.reporting.verdicts import judge_stages

if TYPE_CHECKING:
    from sparkml_ops.config.use_case import UseCase

logger = logging.getLogger(__name__)

_READABLE = 0o644  # a temporary file is its owner's alone; a report is there to be read by others


@dataclass(frozen=True)
class ReportResult:
    """Where the page is.

    Attributes:
        path: the page.
        json_path: the same figures as JSON.
        features_path: the page of the feature views; its figures are in `features.json` beside it.
        experiments_path: the page of trainings and of the newest search; its figures are in `experiments.json` beside it.
        status: ok, attention (a stage wants to be looked at) or no_data.
    """

    path: Path
    json_path: Path
    features_path: Path
    experiments_path: Path
    status: str


def report(use_case: "UseCase", lake: Lake, *, run_id: str | None = None) -> ReportResult:
    """Write the summary page of a use case, and those of its feature views and experiments, anew from its tables.

    Args:
        use_case: whose page.
        lake: where the tables are; none is written.
        run_id: the run to name on the page.

    Raises:
        SetupError: the reports' folder cannot be written.
    """
    folder = _find_folder(use_case)
    facts = read_facts(use_case, lake, run_id=run_id)
    verdicts = judge_stages(facts)
    views = read_feature_facts(use_case, lake, written_at=facts.written_at)
    is_trained = facts.model.newest is not None
    experiments = read_experiments(use_case, lake, written_at=facts.written_at, is_trained=is_trained)
    texts = {
        "experiments.json": render_experiments_json(experiments),
        "experiments.html": render_experiments_html(experiments),
        "features.json": render_features_json(views),
        "features.html": render_features_html(views),
        "summary.json": render_json(facts, verdicts),
        "summary.html": render_html(facts, verdicts),
    }
    _write_files(folder, texts)
    logger.info("summary page of %s: %s", use_case.name, folder / "summary.html")
    statuses = {verdict.status for verdict in verdicts}
    worst = next((status for status in ("attention", "no_data") if status in statuses), "ok")
    return ReportResult(
        folder / "summary.html",
        folder / "summary.json",
        folder / "features.html",
        folder / "experiments.html",
        worst,
    )


def read_facts(use_case: "UseCase", lake: Lake, *, run_id: str | None = None) -> Facts:
    """All that the page tells; a table that is not there leaves its part empty."""
    steps, metrics = read_newest_steps(lake), read_metrics(lake)
    decisions, training_set = read_decisions(lake), read_training_set(lake)
    sources = list_sources(list(use_case.sources), steps)
    model = read_model(use_case, metrics, champion=find_champion(lake, decisions))
    return Facts(
        use_case=use_case.name,
        description=use_case.description,
        owner=use_case.owner,
        environment=use_case.environment.name,
        written_at=datetime.now(UTC),
        run_id=run_id,
        task=use_case.model.task,
        sources=tuple(sources),
        violations=tuple(list_violations(sources, metrics)),
        training_set=training_set,
        model=model,
        decisions=tuple(decisions),
        slices=tuple(list_slices(metrics, model.shown)),
        scoring=read_scoring(lake, metrics, span=model.card.span if model.card else (0.0, 1.0)),
        monitoring=find_last_look(metrics, list_alerts(lake), headline=COMPARED_METRICS[use_case.model.task][0]),
        newest_steps=tuple(steps),
        recent_steps=tuple(read_recent_steps(lake)),
        tables=read_tables(use_case, lake, training_set=training_set.table if training_set else None),
    )


def read_feature_facts(use_case: "UseCase", lake: Lake, *, written_at: datetime) -> FeatureFacts:
    """All that the page of the feature views tells."""
    stories = read_view_stories(use_case, lake)
    return FeatureFacts(use_case.name, use_case.description, use_case.environment.name, written_at, stories)


def _find_folder(use_case: "UseCase") -> Path:
    reports = use_case.environment.reports.removeprefix("file://")
    if "://" in reports:
        raise SetupError(
            f"the summary page cannot be written to {reports}: `reports` must be a folder on this machine, or one that is "
            "mounted here, such as /Volumes/… or /dbfs/…. No page was written."
        )
    return Path(reports) / use_case.name


def _write_files(folder: Path, texts: Mapping[str, str]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in texts.items():
            _replace_file(folder / name, text)
    except OSError as error:
        raise SetupError(
            f"the summary page cannot be written to {folder}: {error.strerror}. Check `reports` of the environment, its rights "
            "and space. The tables are as they were."
        ) from error


def _replace_file(path: Path, text: str) -> None:
    """Whoever opens the file sees the old one or the new one, whole."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        temporary.chmod(_READABLE)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
