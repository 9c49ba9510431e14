"""Trainings are listed by what was recorded of them, without their estimators, and ranked where their rows are the same."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sparkml_ops.models import (
    ModelVersion,
    PackagedModel,
    RecordedFigure,
    RecordedTraining,
    Tracking,
    list_trainings,
    open_experiment,
    order_trainings,
    register_model,
    set_alias,
    start_run,
)
from sparkml_ops.models.kinds import lightgbm as booster_kind


def make_training(
    version: int, value: float | None, content: str | None = "c", metric: str = "roc_auc"
) -> RecordedTraining:
    figures = {metric: RecordedFigure(value, None, None)}
    return RecordedTraining(version, content_hash=content, metric=metric, figures=figures)


def describe(trainings: list[RecordedTraining]) -> list[tuple[int, int | None]]:
    return [(one.version, one.rank) for one in trainings]


def make_metadata(value: float, content: str = "c") -> dict[str, Any]:
    return {
        "training_set_version": "ts-1", "config_hash": "abcdef0123456789", "code_version": "0.1", "write_id": f"w{value}",
        "trained_at": "2024-03-01T06:30:00+00:00", "training_set": {"content_hash": content, "rows": {"train": 6, "test": 2}},
        "estimator": "lightgbm", "search": {"trials": 20, "failed": 2}, "metric": "roc_auc", "params": {"num_leaves": 7}, "rounds": 40,
        "figures": {"candidate": {"roc_auc": {"value": value, "lower": value - 0.01, "upper": value + 0.01}}},
    }  # fmt: skip


def register(tracking: Tracking, model: PackagedModel, metadata: Mapping[str, Any]) -> ModelVersion:
    run = start_run(tracking, open_experiment(tracking, model.name), name="train")
    return register_model(tracking, replace(model, metadata=metadata), run_id=run)


def test_the_best_of_the_same_rows_comes_first() -> None:
    found = order_trainings([make_training(1, 0.7), make_training(2, 0.8), make_training(3, 0.75)])
    assert describe(found) == [(2, 1), (3, 2), (1, 3)]
    assert [one.note for one in found] == ["", "", ""]


def test_a_loss_is_better_when_it_is_lower_and_equals_share_a_rank() -> None:
    losses = [make_training(version, value, metric="log_loss") for version, value in ((1, 0.4), (2, 0.3), (3, 0.3))]
    assert describe(order_trainings(losses)) == [(3, 1), (2, 1), (1, 3)]


def test_what_was_judged_on_other_rows_or_by_another_metric_has_no_rank_and_says_why() -> None:
    found = order_trainings(
        [
            make_training(1, 0.99, content="old"),
            make_training(2, 0.1, metric="log_loss"),
            make_training(3, None),
            make_training(4, 0.7),
            RecordedTraining(5, note="damaged"),
        ]
    )
    assert [(one.version, one.rank, one.note) for one in found] == [
        (4, 1, ""),
        (5, None, "damaged"),
        (3, None, "no figure is recorded"),
        (2, None, "not comparable: another metric than roc_auc"),
        (1, None, "not comparable: judged on other rows than version 4"),
    ]


def test_by_time_the_newest_comes_first_and_ranks_stay() -> None:
    found = order_trainings([make_training(1, 0.9), make_training(2, 0.8)], order="time")
    assert describe(found) == [(2, 2), (1, 1)]
    assert order_trainings([]) == []
    assert describe(order_trainings([make_training(1, None), make_training(2, None)])) == [(2, None), (1, None)]


def test_the_list_has_the_recorded_facts_and_reads_no_estimator(
    tracking: Tracking, model: PackagedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    for value in (0.7, 0.8, 0.75):
        newest = register(tracking, model, make_metadata(value))
    set_alias(tracking, newest, "champion")

    def refuse(content: bytes) -> None:
        raise AssertionError(content)

    monkeypatch.setattr(booster_kind, "load_estimator", refuse)
    found = list_trainings(tracking, "shop")
    assert describe(found) == [(2, 1), (3, 2), (1, 3)]
    third = found[1]
    assert (third.aliases, third.trials, third.failed, third.estimator) == (("champion",), 20, 2, "lightgbm")
    assert (third.training_set, third.content_hash, third.rows) == ("ts-1", "c", {"train": 6, "test": 2})
    assert (third.trained_at, third.config_hash) == ("2024-03-01T06:30:00+00:00", "abcdef0123456789")
    assert third.params == {"num_leaves": 7, "rounds": 40}
    assert third.features == ("hour", "carrier", "gust")
    assert third.figure.lower == pytest.approx(0.74)
    assert describe(list_trainings(tracking, "shop", last=2, order="time")) == [(3, 2), (2, 1)]
    assert list_trainings(tracking, "nothing") == []


def test_versions_whose_files_are_changed_gone_or_of_an_earlier_release_are_listed(
    tracking: Tracking, model: PackagedModel
) -> None:
    versions = [register(tracking, model, make_metadata(value)) for value in (0.7, 0.8, 0.9)]
    folders = [Path(version.source.removeprefix("file://")) / "data" / "package" for version in versions]
    with (folders[0] / "package.json").open("a") as file:
        file.write(" ")
    shutil.rmtree(folders[1])
    tracking.client.delete_model_version_tag("shop", "3", "files")
    changed, gone, early = sorted(list_trainings(tracking, "shop"), key=lambda one: one.version)
    assert "package.json is not the file that was registered" in changed.note
    assert "cannot be read" in gone.note
    assert (changed.rank, gone.rank, early.rank) == (None, None, 1)
    assert (gone.training_set, gone.metric, gone.figure.value) == ("ts-1", None, None)
