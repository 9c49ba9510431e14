"""A registered version of a model -> the same training once more, without a search, and whether it gives the same model."""

import json
import logging
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pyspark.sql import SparkSession

from sparkml_ops.config.gates import Gates
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ModelError
from sparkml_ops.features import (
    KeyChange,
    TrainingSet,
    compare_definitions,
    describe_dataset,
    stage_recreated,
)
from sparkml_ops.lake import Lake, StepRecord, code_version, new_run_id
from sparkml_ops.models import (
    ModelVersion,
    PackagedModel,
    Tracking,
    compare_environments,
    find_environment,
    find_version,
    load_environment,
    prepare_tracking,
)
from sparkml_ops.training.evaluated import gather_repeatable
from sparkml_ops.training.prepare import prepare_rows
from sparkml_ops.training.recipe import describe_settings
from sparkml_ops.training.recorded_version import open_recorded, open_scratch
from sparkml_ops.training.remade import (
    FigureComparison,
    RowComparison,
    compare_figures,
    compare_predictions,
    list_encoder_changes,
    list_segment_changes,
)
from sparkml_ops.training.winner import Winner, fit_winner, judge_candidate

log = logging.getLogger(__name__)

STEP = "reproduce"


@dataclass(frozen=True)
class ReproduceResult:
    """What came of making a version again.

    Attributes:
        run_id: The run in the ledger.
        model_name: The model in the registry.
        model_version: The version that was made again.
        training_set: The version of the training set, whose rows were made again as well.
        verdict: identical when every row has the very same prediction and every figure is the same.
        rows: The predictions, row by row.
        figures: The figures of the part test.
        differences: What is not as it was when the version was trained, in words.
        configuration: Keys that the YAML has otherwise today; `old` is what was recorded, and what was done.
        seconds: How long it took.
    """

    run_id: str
    model_name: str
    model_version: int
    training_set: str
    verdict: Literal["identical", "differs"]
    rows: RowComparison
    figures: tuple[FigureComparison, ...]
    differences: tuple[str, ...]
    configuration: tuple[KeyChange, ...]
    seconds: float


@dataclass(frozen=True)
class _Remade:
    model: PackagedModel
    rows: RowComparison
    figures: tuple[FigureComparison, ...]

    @property
    def is_identical(self) -> bool:
        return self.rows.equal == self.rows.rows and all(figure.is_same for figure in self.figures)


def reproduce(
    use_case: UseCase, lake: Lake, *, version: int | None = None, alias: str | None = None, run_id: str | None = None
) -> ReproduceResult:
    """Make a version again from its training set and its recipe, and hold it against the registered one.

    The rows are made again from the pinned versions of all inputs, and proven by their hash. What was recorded at training counts:
    settings, parameters, rounds and seed; not what the YAML says today. Nothing is written but the row in `runs`.

    Args:
        use_case: Whose model.
        lake: Where its tables are.
        version: Its number.
        alias: Or its alias; the newest version when neither is given.
        run_id: Name of the run in the ledger; a new one by default.

    Raises:
        ModelNotFoundError: There is no such version; nothing was started.
        ModelError: Its files are not those that were registered, or it was trained by an earlier release, which kept no recipe.
        TableNotFoundError: Its training set, or the version of one of its inputs, is gone; says which.
        ContractError: The inputs are there, and give other rows.
        ConflictError: Another process makes a version of the same use case again.
    """
    started, run = time.monotonic(), run_id or new_run_id()
    tracking = prepare_tracking(use_case.environment)
    registered = find_version(tracking, use_case.name, alias=alias, version=version)
    with open_recorded(use_case, lake, registered=registered, step=STEP, run_id=run) as (step, opened):
        asked, made, recorded = opened.asked, opened.made, opened.model
        for table, at in made.inputs.items():
            step.read(table, at)
        remade = _make_again(asked, lake, made, recorded=recorded)
        differences = [
            *_compare_surroundings(lake.spark, recorded.metadata, made, is_identical=remade.is_identical),
            *_compare_installed(tracking, registered, recorded.metadata),
            *list_encoder_changes(recorded.encoder, remade.model.encoder),
            *list_segment_changes(recorded, remade.model),
        ]
        _note_verdict(step, remade, differences)
    return ReproduceResult(
        run_id=run,
        model_name=registered.name,
        model_version=registered.version,
        training_set=made.version,
        verdict="identical" if remade.is_identical else "differs",
        rows=remade.rows,
        figures=remade.figures,
        differences=tuple(differences),
        configuration=tuple(_compare_configuration(asked, use_case)),
        seconds=time.monotonic() - started,
    )


def _make_again(asked: UseCase, lake: Lake, made: TrainingSet, *, recorded: PackagedModel) -> _Remade:
    """As `make_candidate` does it, with what its search has found."""
    metadata = recorded.metadata
    asked = asked.model_copy(update={"gates": Gates()})  # slices are today's, and not compared
    with stage_recreated(asked, lake, made.version, name=STEP) as rows, open_scratch(lake, STEP) as folder:
        _, encoder = prepare_rows(asked, rows, made.feature_columns, folder=folder)
        winner = Winner(metadata["params"], metadata["rounds"])
        again, threshold, _ = fit_winner(asked, rows, encoder, winner, folder=folder)
        judgement = judge_candidate(asked, rows, again, folder=folder, threshold=threshold)
        figures = compare_figures(gather_repeatable(metadata), gather_repeatable(judgement.to_dict()))
        return _Remade(again, compare_predictions(rows, recorded, again), figures)


def _compare_configuration(then: UseCase, now: UseCase) -> Iterator[KeyChange]:
    """Keys that training and its rows depend on; both sides as this release understands them."""
    plain = [json.dumps({**describe_dataset(one), **describe_settings(one)}) for one in (then, now)]
    yield from compare_definitions(plain[0], plain[1])


def _compare_surroundings(
    spark: SparkSession, metadata: Mapping[str, Any], made: TrainingSet, *, is_identical: bool
) -> Iterator[str]:
    recipe, threads = metadata["recipe"], len(os.sched_getaffinity(0))
    if metadata["code_version"] != code_version():
        yield f"code: {metadata['code_version']} -> {code_version()}"
    if recipe["spark"] != spark.version:
        yield f"Spark: {recipe['spark']} -> {spark.version}"
    if recipe["threads"] != threads and not is_identical:
        yield f"threads: {recipe['threads']} -> {threads}"
    trained_on = metadata["training_set"]["content_hash"]
    if trained_on != made.content_hash:
        yield f"training set: {made.version} has the hash {made.content_hash} in `training_sets`, and had {trained_on} when it was trained on"


def _compare_installed(tracking: Tracking, registered: ModelVersion, metadata: Mapping[str, Any]) -> Iterator[str]:
    here, then = find_environment(), metadata["environment"]["hash"]
    if here.hash == then:
        return
    try:
        there = load_environment(tracking, registered, expected_hash=then)
    except ModelError as error:
        yield f"environment: another one than at training, and what it was is not known: {error}"
        return
    yield from (f"environment: {change}" for change in compare_environments(there, here).describe())


def _note_verdict(step: StepRecord, remade: _Remade, differences: list[str]) -> None:
    rows, changed = remade.rows, [figure for figure in remade.figures if not figure.is_same]
    step.note("verdict", "identical" if remade.is_identical else "differs")
    step.note("rows", rows.rows)
    step.note("rows_equal", rows.equal)
    step.note("largest_difference", rows.largest)
    step.note("differences", "; ".join(differences))
    if not remade.is_identical:
        step.refuse(
            f"made again it differs in {rows.rows - rows.equal} of {rows.rows} predictions, by {rows.largest:.3g} at most, "
            f"and in {len(changed)} of {len(remade.figures)} figures"
        )
