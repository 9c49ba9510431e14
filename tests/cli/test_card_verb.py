"""`card`: a version by number, alias or none; as Markdown, JSON or a page; and clear words where there is none."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from sparkml_ops.cli.app import app
from sparkml_ops.config.load import load_use_case
from sparkml_ops.errors import SparkMLOpsError
from sparkml_ops.models import find_version, open_experiment, prepare_tracking, register_model, set_alias, start_run
from tests.card_sample import make_card_model

Card = Callable[..., str]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of `init` with two versions of its model, of which the first is champion."""
    folder = tmp_path_factory.mktemp("cards")
    app(["init", "returns", "--folder", str(folder)], standalone_mode=False)
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(folder)
        tracking = prepare_tracking(load_use_case("returns").environment)
        for owner in ("first", "second"):
            model = make_card_model()
            said = model.metadata["use_case"] | {"owner": owner}
            rows = np.random.default_rng(0).normal(size=(60, len(model.encoder.encoded_columns)))
            booster = lightgbm.train({"verbosity": -1}, lightgbm.Dataset(rows, (rows[:, 0] > 0).astype(float)), 1)
            model = replace(
                model, name="returns", estimator=booster, metadata=dict(model.metadata) | {"use_case": said}
            )
            run = start_run(tracking, open_experiment(tracking, "returns"), name="train")
            register_model(tracking, model, run_id=run)
        set_alias(tracking, find_version(tracking, "returns", version=1), "champion")
    return folder


@pytest.fixture
def show(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Card:
    monkeypatch.chdir(folder)

    def call(*arguments: str) -> str:
        assert app(["card", *arguments], standalone_mode=False) == 0
        return capsys.readouterr().out

    return call


@pytest.mark.parametrize(
    ("named", "version", "owner"),
    [("returns", 2, "second"), ("returns@1", 1, "first"), ("returns@champion", 1, "first"), ("conf/returns.yml@2", 2, "second")],
)  # fmt: skip
def test_a_version_is_named_by_number_or_alias(show: Card, named: str, version: int, owner: str) -> None:
    shown = show(named)
    assert shown.startswith(f"# returns, version {version}\n")
    assert f"- **Owner:** {owner}\n" in shown


def test_a_page_and_json_have_the_same_card(show: Card, folder: Path) -> None:
    result = json.loads(show("returns@1", "--html", "card.html", "--json"))["result"]
    assert (result["model"], result["version"], result["page"]) == ("returns", 1, "card.html")
    assert result["card"].rstrip("\n") == show("returns@1").rstrip("\n")
    page = (folder / "card.html").read_text()
    assert "<h1>returns, version 1</h1>" in page
    assert show("returns@1", "--html", "card.html") == "card.html\n"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["returns@3"], 2, "Model 'returns' has no version 3. It has: version 1 (champion), 2."),
        (["returns@0"], 2, "has no version 0"),
        (["returns@challenger"], 2, "Model 'returns' has no alias 'challenger'"),
        (["returns@" + "9" * 5000], 2, "has no alias '999"),
        (["retruns@1"], 2, "there is no use case 'retruns'"),
        (["returns", "--html", "nowhere/card.html"], 2, "--html nowhere/card.html: cannot be written: No such file or directory"),
        (["returns", "--html", "."], 2, "--html .: cannot be written: Is a directory"),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_what_is_not_there_is_told(show: Card, arguments: list[str], code: int, message: str) -> None:
    with pytest.raises(SparkMLOpsError) as raised:
        show(*arguments)
    assert raised.value.exit_code == code
    assert message in str(raised.value)
