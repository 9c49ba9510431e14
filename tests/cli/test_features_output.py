"""`sparkml-ops features`: what a backfill prints, and in which zone its range is read."""

from datetime import UTC, datetime

import pytest

from sparkml_ops import features
from sparkml_ops.cli import features as verbs
from sparkml_ops.cli.app import app
from sparkml_ops.features import FeaturesResult
from sparkml_ops.lake import Commit


@pytest.mark.parametrize(("rows", "told"), [(0, True), (3, False)])
def test_a_backfill_of_a_range_without_rows_says_so(monkeypatch, capsys, rows, told):
    asked = {}

    def answer(use_case, lake, **options):
        asked.update(options)
        return FeaturesResult("run-1", {"heat": Commit("features_heat", 2, rows, "committed")})

    monkeypatch.setattr(verbs, "open_both", lambda *_, **__: (None, None))
    monkeypatch.setattr(features, "backfill_features", answer)
    # The last instant is of the hour that Berlin has twice: its zone tells which.
    said = ["features", "backfill", "shop", "heat", "--from", "2026-10-25", "--to", "2026-10-25T02:30+01:00"]
    assert app(said, standalone_mode=False) == 0
    assert ("heat has no row in this range." in capsys.readouterr().out) == told
    assert (asked["since"], asked["until"]) == (
        datetime(2026, 10, 25, tzinfo=UTC),
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    )
