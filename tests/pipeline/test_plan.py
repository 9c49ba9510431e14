"""What would run, and why: a decision on what the ledger and the tables say, and on nothing else."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.ingestion import Batch
from sparkml_ops.lake import StepRun
from sparkml_ops.pipeline import list_steps
from sparkml_ops.pipeline.known import Known
from sparkml_ops.pipeline.plan import decide_plan, hash_step
from tests.flights_sample import PROJECT

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
def use_case() -> UseCase:
    return load_use_case("flights", env="local", conf_dir=PROJECT / "conf")


@pytest.fixture
def done(use_case: UseCase) -> Known:
    """Every step ran, and each read and wrote one table of its own at version 3."""
    ledger = {
        step.name: StepRun(
            step=step.name,
            run_id="r1",
            status="succeeded",
            config_hash="" if step.stage == "ingest" else hash_step(use_case, step),
            inputs={f"in {step.name}": 3},
            outputs={f"out {step.name}": 3},
            details={},
            model_version=1 if step.stage in {"train", "promote", "score"} else None,
            ended_at=NOW,
        )
        for step in list_steps(use_case)
    }
    tables = [table for run in ledger.values() for table in (*run.inputs, *run.outputs)]
    return Known(ledger, dict.fromkeys(use_case.sources), dict.fromkeys(tables, 3), champion=1)


def reasons(use_case: UseCase, known: Known, *, from_stage: str | None = None) -> dict[str, str]:
    """The steps that would run, each with its reason."""
    planned = decide_plan(use_case, list_steps(use_case), known, from_stage=from_stage).steps
    return {p.step.name: p.reason for p in planned if p.runs}


def first_of(reached: dict[str, str]) -> tuple[str, str]:
    return next(iter(reached.items()))


def test_nothing_runs_when_nothing_changed(use_case: UseCase, done: Known) -> None:
    assert reasons(use_case, done) == {}


def test_everything_runs_when_nothing_is_known(use_case: UseCase) -> None:
    batch = Batch("b1", "flights", "hash", "replace", (), NOW, "first batch")
    known = Known({}, dict.fromkeys(use_case.sources, batch), {}, None)
    reached = reasons(use_case, known)
    assert list(reached) == [step.name for step in list_steps(use_case)]
    assert reached["ingest:flights"] == "first batch (files: 0, batch b1)"


def test_a_new_file_reaches_only_what_reads_it(use_case: UseCase, done: Known) -> None:
    batch = Batch("b2", "planes", "hash", "append", (), NOW, "1 new file")
    reached = reasons(use_case, replace(done, batches={**done.batches, "planes": batch}))
    assert list(reached) == ["ingest:planes", "features:plane", "dataset", "train", "promote", "score", "monitor"]
    assert reached["features:plane"] == "follows ingest:planes"


def change_version(known: Known, table: str, version: int | None) -> Known:
    return replace(known, versions={**known.versions, table: version})


@pytest.mark.parametrize(
    ("table", "version", "expected"),
    [
        ("in dataset", 4, ("dataset", "in dataset is at v4, and v3 was read")),
        ("in dataset", 2, ("dataset", "in dataset is at v2, and v3 was read")),
        ("in dataset", None, ("dataset", "in dataset is at no version: it is gone, and v3 was read")),
        ("out score", 2, ("score", "out score is at v2, and v3 was written")),
        ("out score", None, ("score", "out score is at no version: it is gone, and v3 was written")),
    ],
)
def test_a_table_that_moved(
    use_case: UseCase, done: Known, table: str, version: int | None, expected: tuple[str, str]
) -> None:
    assert first_of(reasons(use_case, change_version(done, table, version))) == expected


def test_later_rows_in_an_output_are_somebody_elses(use_case: UseCase, done: Known) -> None:
    assert reasons(use_case, change_version(done, "out score", 9)) == {}


def test_another_configuration(use_case: UseCase, done: Known) -> None:
    old = replace(done.ledger["train"], config_hash="another")
    reached = reasons(use_case, replace(done, ledger={**done.ledger, "train": old}))
    assert reached["train"] == "its configuration changed"
    assert list(reached) == ["train", "promote", "score", "monitor"]


def test_another_champion_scores_anew(use_case: UseCase, done: Known) -> None:
    assert first_of(reasons(use_case, replace(done, champion=2))) == (
        "score", "version 2 of the model is the champion",
    )  # fmt: skip


def test_a_held_batch_leaves_nothing_to_watch(use_case: UseCase, done: Known) -> None:
    ledger = {**done.ledger, "score": replace(done.ledger["score"], status="refused")}
    del ledger["monitor"]
    assert reasons(use_case, replace(done, ledger=ledger)) == {}


@pytest.mark.parametrize(
    ("stage", "expected"), [("promote", ["promote", "score", "monitor"]), ("monitor", ["monitor"])]
)
def test_a_stage_that_was_asked_for(use_case: UseCase, done: Known, stage: str, expected: Sequence[str]) -> None:
    reached = reasons(use_case, done, from_stage=stage)
    assert [*reached] == expected
    assert set(reached.values()) == {f"asked for by --from {stage}"}
