"""A version of the training set -> a registered candidate."""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from sparkml_ops.config.use_case import UseCase, hash_config
from sparkml_ops.features import TrainingSet, describe_training_set, read_training_set
from sparkml_ops.lake import Lake, Metric, code_version, new_run_id, record_metrics, record_step
from sparkml_ops.models import (
    ModelVersion,
    RunFigures,
    Tracking,
    close_abandoned_runs,
    complete_run,
    finish_run,
    keep_card,
    list_versions,
    load_version,
    log_figures,
    log_learned_rows,
    open_experiment,
    prepare_tracking,
    register_model,
    reopen_run,
    start_run,
    write_card,
)
from sparkml_ops.training.candidate import Commission, make_candidate
from sparkml_ops.training.check import check_model
from sparkml_ops.training.diagnose import list_diagnosis
from sparkml_ops.training.evaluated import list_evaluation, list_slices
from sparkml_ops.training.explained import list_importance
from sparkml_ops.training.matrix import locate_scratch, remove_folder, unmap_matrix
from sparkml_ops.training.opponent import find_opponent
from sparkml_ops.training.recipe import list_imputes
from sparkml_ops.training.requirements import require_task, require_usable
from sparkml_ops.training.search import drop_refused
from sparkml_ops.training.segment_figures import list_segments
from sparkml_ops.training.trial_runs import describe_learned, log_outcome, make_trial_logger
from sparkml_ops.training.trial_store import TrialStore
from sparkml_ops.training.trials import Trial

log = logging.getLogger(__name__)

STEP = "train"
SEARCH_TAG = "search_id"


@dataclass(frozen=True)
class TrainResult:
    """What a training gave.

    Attributes:
        run_id: The run in the ledger.
        status: skipped_duplicate when this training set and configuration had given a version before.
        model_name: The model in the registry.
        model_version: Its version: the candidate.
        training_set: The version of the training set.
        mlflow_run_id: The run in MLflow.
        figures: On the test part, by model (candidate, linear, trivial, champion) and metric: value, lower, upper.
        params: The parameters that were found best.
        trials: Trials that were made.
        seconds: How long it took.
        diagnosis: What was found: finding, severity, sentence, figures and advice of each; those that want attention first.
        kpis: Business figures by name: how they are declared, and `figures` by model.
    """

    run_id: str
    status: Literal["trained", "skipped_duplicate"]
    model_name: str
    model_version: int
    training_set: str
    mlflow_run_id: str
    figures: Mapping[str, Mapping[str, Mapping[str, float | None]]]
    params: Mapping[str, Any]
    trials: int
    seconds: float
    diagnosis: tuple[Mapping[str, Any], ...] = ()
    kpis: Mapping[str, Any] = field(default_factory=dict)


def train(use_case: UseCase, lake: Lake, *, training_set: str | None = None, run_id: str | None = None) -> TrainResult:
    """Tune, fit, judge and register a candidate. It serves only after a promotion.

    The same training set, configuration and code give one version, however often this is called and wherever it was
    killed before.

    Args:
        use_case: What to train.
        lake: Where the training set is.
        training_set: Its version; the newest by default.
        run_id: Name of the run in the ledger; a new one by default.

    Raises:
        ConfigError: The estimator cannot be had, has no such parameters, or cannot heed weights or directions.
        TableNotFoundError: There is no such training set.
        TrainingError: Too few rows, one label alone, labels of another task, no feature that says anything, or a search without success.
        SetupError: MLflow cannot be reached.
    """
    started, run = time.monotonic(), run_id or new_run_id()
    check_model(use_case)
    with record_step(lake, run_id=run, step=STEP, config_hash=hash_training(use_case)) as step:
        described = describe_training_set(lake, training_set)
        step.read(described.table, described.table_version, sum(described.rows.values()))
        require_task(described, use_case.model.task)
        require_usable(described)
        commission = Commission(use_case, described, _find_origin(use_case, described))
        tracking = prepare_tracking(use_case.environment)
        experiment = open_experiment(tracking, use_case.name)
        for abandoned in close_abandoned_runs(tracking, experiment):
            remove_folder(lake.spark, locate_scratch(lake.root, abandoned))
        before = _find_registered(tracking, commission)
        store = TrialStore(lake, _name_search(use_case, described), run, described.version)
        version = before or _train_version(commission, store, tracking, experiment)
        complete_run(tracking, version.run_id)
        model = load_version(tracking, version)
        keep_card(tracking, version, write_card(version, model))
        metadata = dict(model.metadata)
        step.wrote(record_metrics(lake, _list_metrics(metadata, version), run_id=run, step=STEP, write_id=_id(version)))
        step.model(version.name, version.version)
        step.note("training_set", described.version)
        for metric, figure in metadata["figures"]["candidate"].items():
            step.note(metric, figure["value"])
    return TrainResult(
        run_id=run,
        status="skipped_duplicate" if before else "trained",
        model_name=version.name,
        model_version=version.version,
        training_set=described.version,
        mlflow_run_id=version.run_id,
        figures=metadata["figures"],
        params=metadata["params"],
        trials=metadata["search"]["trials"],
        seconds=time.monotonic() - started,
        diagnosis=tuple(metadata.get("diagnosis", ())),
        kpis=metadata.get("kpis", {}),
    )


def hash_training(use_case: UseCase) -> str:
    """Hash of the configuration that training depends on, beside the training set: of what is said otherwise than by default.

    So a new release changes none. Words for the card are none of it. The slices of the gate are, as far as versions are judged on them.
    """
    model = use_case.model.model_dump(mode="json", by_alias=True, exclude={"card"}, exclude_defaults=True)
    imputes = {name: how.model_dump(mode="json") for name, how in list_imputes(use_case).items()}
    slices = use_case.gates.slices
    judged = [] if slices is None else [{"slices": sorted(slices.by), "minimum_rows": slices.minimum_rows}]
    return hash_config(model, imputes, *judged)


def _train_version(commission: Commission, store: TrialStore, tracking: Tracking, experiment: str) -> ModelVersion:
    lake, before = store.lake, drop_refused(store.read(), commission.use_case.model.search)
    going_on = reopen_run(tracking, experiment, tag=SEARCH_TAG, value=store.search_id) if before else None
    run = going_on or start_run(tracking, experiment, name=f"train {commission.training_set.version}")
    folder = locate_scratch(lake.root, run)
    with _finish_run(tracking, run):
        try:
            log_figures(tracking, run, RunFigures(tags=commission.origin | {SEARCH_TAG: store.search_id}))
            log_learned_rows(tracking, run, describe_learned(commission.training_set))
            log_trial = make_trial_logger(tracking, experiment, parent=run, before=before)

            def keep(trial: Trial) -> None:
                store.add([trial])
                log_trial(trial)

            made, use_case = commission.training_set, commission.use_case
            asked = replace(commission, champion=find_opponent(lake, tracking, use_case, training_set=made))
            rows = read_training_set(lake, made.version)
            model = make_candidate(asked, rows, folder=folder, before=before, on_finished=keep)
            log_outcome(tracking, run, dict(model.metadata))
            return register_model(tracking, model, run_id=run)
        finally:
            unmap_matrix(folder)
            remove_folder(lake.spark, folder)


@contextmanager
def _finish_run(tracking: Tracking, run: str) -> Iterator[None]:
    """End the MLflow run as the block ends."""
    try:
        yield
    except Exception as error:
        log_figures(tracking, run, RunFigures(tags={"cause": f"{type(error).__name__}: {error}"[:1000]}))
        finish_run(tracking, run, "FAILED")
        raise
    except BaseException:
        finish_run(tracking, run, "KILLED")
        raise
    finish_run(tracking, run, "FINISHED")


def _find_origin(use_case: UseCase, training_set: TrainingSet) -> dict[str, str]:
    # Rows that are the same teach the same, also when the tables that they were made from have moved on since.
    made_of = {"config_hash": hash_training(use_case), "code_version": code_version()}
    content = {"content": training_set.content_hash, "definition": training_set.definition_hash}
    return made_of | {"training_set_version": training_set.version, "write_id": hash_config(made_of | content)}


def _name_search(use_case: UseCase, training_set: TrainingSet) -> str:
    """What is searched: neither for how long, nor how many at a time. A search that is to be longer goes on from a shorter one."""
    kept = {"space", "seed", "algorithm", "backend"}
    searched = use_case.model.search.model_dump(mode="json", include=kept)
    imputes = {name: how.model_dump(mode="json") for name, how in list_imputes(use_case).items()}
    unsearched = {"search", "card", "costs", "diagnosis", "segment_by", "evaluation"}
    model = use_case.model.model_dump(mode="json", exclude=unsearched)
    content = {"content": training_set.content_hash, "definition": training_set.definition_hash}
    return hash_config(
        {"model": model, "search": searched, "imputes": imputes, "code_version": code_version()} | content
    )


def _find_registered(tracking: Tracking, commission: Commission) -> ModelVersion | None:
    """The version that an earlier call, perhaps one that was killed just after registering, has made of the same."""
    name, write_id = commission.use_case.name, commission.origin["write_id"]
    found = next((version for version in list_versions(tracking, name) if version.write_id == write_id), None)
    if found is not None:
        on = commission.training_set.version
        log.info("model %s version %d was trained on %s with this configuration already", name, found.version, on)
    return found


def _list_metrics(metadata: Mapping[str, Any], version: ModelVersion) -> list[Metric]:
    return [
        *list_evaluation(metadata, version),
        *list_slices(metadata, version),
        *list_importance(metadata, version),
        *list_diagnosis(metadata, version),
        *list_segments(metadata, version),
    ]


def _id(version: ModelVersion) -> str:
    return f"evaluation:{version.name}:{version.version}:{version.digest[:12]}"
