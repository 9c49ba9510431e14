"""Ingestion that goes on as files land, and does not stop at one that is bad."""

import contextlib
from pathlib import Path

import pytest

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.errors import ConfigError
from sparkml_ops.ingestion import Turn, follow
from sparkml_ops.lake import Lake, read_table


class Enough(Exception):  # noqa: N818  # no error, but the end of the waiting
    pass


def test_what_lands_is_taken_in_and_what_is_refused_is_told_once(
    lake: Lake, tmp_path: Path, environment: Environment
) -> None:
    options = {"format": "csv", "key": ["id"], "columns": {"id": {"type": "int"}}, "max_violation_ratio": 0}
    sources = {name: Source.model_validate({"path": f"{tmp_path}/{name}*.csv"} | options) for name in ("good", "bad")}
    use_case = UseCase.model_construct(name="shop", sources=sources, environment=environment)
    (tmp_path / "good1.csv").write_text("id\n1\n")
    (tmp_path / "bad1.csv").write_text("id\nx\n")
    landing = iter(
        [
            lambda: None,  # nothing new: no turn
            lambda: (tmp_path / "good2.csv").write_text("id\n2\n"),
            lambda: (tmp_path / "bad1.csv").write_text("id\n7\n"),  # mended
        ]
    )

    def wait(seconds: float) -> None:
        assert seconds == 10
        land = next(landing, None)
        if land is None:
            raise Enough
        land()

    turns: list[Turn] = []
    with contextlib.suppress(Enough):
        turns.extend(follow(use_case, lake, wait=wait))
    assert [[taken.source for taken in turn.taken] for turn in turns] == [["good"], ["good"], ["bad"]]
    assert [[name for name, _ in turn.refused] for turn in turns] == [["bad"], [], []]
    assert "refused whole" in turns[0].refused[0][1]
    assert sorted(row.id for row in read_table(lake, "clean_good").collect()) == [1, 2]
    assert [row.id for row in read_table(lake, "clean_bad").collect()] == [7]


def test_an_unknown_source_is_refused_at_once(lake: Lake, environment: Environment) -> None:
    use_case = UseCase.model_construct(name="shop", sources={}, environment=environment)
    with pytest.raises(ConfigError, match="unknown sources"):
        next(follow(use_case, lake, sources=["nowhere"]))
