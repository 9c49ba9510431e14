"""`sparkml-ops audit`: what it prints, and how it ends."""

import json

import pytest

from sparkml_ops import features
from sparkml_ops.cli import audit
from sparkml_ops.cli.app import app
from sparkml_ops.features import AuditFigure, AuditResult, HistoryCheck

CLEAN = AuditFigure("label_copy", "price", 0.61, 0.98, "ok")
ACCEPTED = AuditFigure(
    "identifier", "code", 1.0, 0.99, "accepted", "accepted: it is looked at. 1 different values per row"
)
FOUND = AuditFigure("label_copy", "refund", 1.0, 0.98, "alert", "alone it has a ROC AUC of 1. Leave it out.")
HISTORY = (HistoryCheck("basket", rows=20, rows_at_moment=5, rows_before_history=12, rows_passed_over=3),)


@pytest.fixture
def run(monkeypatch, capsys):
    def call(figures, *arguments):
        asked = {}

        def answer(use_case, lake, **options):
            asked.update(options)
            return AuditResult("run-1", "ts-000000000000", 40, 40, HISTORY, figures)

        monkeypatch.setattr(audit, "open_both", lambda *_: (None, None))
        monkeypatch.setattr(features, "audit_training_set", answer)
        code = app(["audit", "shop", *arguments], standalone_mode=False)
        return code, capsys.readouterr().out, asked

    return call


def test_a_clean_training_set_ends_with_0_and_says_so(run):
    code, printed, asked = run((ACCEPTED, CLEAN))
    assert code == 0
    assert printed.endswith("nothing found\n")
    assert "accepted  identifier  code: accepted: it is looked at" in printed
    assert asked == {"training_set": None, "rows": None, "seed": 0, "run_id": None}


def test_a_check_that_had_nothing_to_look_at_is_no_clean_bill(run):
    unseen = AuditFigure("changed_since", "price", None, 0.0, "no_data")
    code, printed, _ = run((CLEAN, unseen))
    assert (code, printed.splitlines()[-1]) == (
        0,
        "nothing found; no data for changed_since, so nothing is known of it",
    )


def test_a_finding_ends_with_1_and_is_told_with_what_to_do(run):
    code, printed, asked = run(
        (FOUND, CLEAN), "--training-set", "ts-00", "--rows", "20", "--seed", "7", "--run-id", "r"
    )
    assert code == 1
    assert asked == {"training_set": "ts-00", "rows": 20, "seed": 7, "run_id": "r"}
    lines = printed.splitlines()
    assert lines[0] == "training set ts-000000000000: 40 rows; figures of features of 40"
    assert lines[4].split() == ["basket", "20", "5", "12", "3", "-"]
    assert lines[8].split() == ["label_copy", "1", "0", "0", "1"]
    assert lines[10] == "alert  label_copy  refund: alone it has a ROC AUC of 1. Leave it out."
    assert lines[-1] == "1 finding"


def test_json_is_one_document_with_the_findings(run):
    code, printed, _ = run((FOUND, CLEAN), "--json")
    document = json.loads(printed)
    assert (code, document["exit_code"]) == (1, 1)
    assert [one["subject"] for one in document["result"]["findings"]] == ["refund"]
    assert [one["subject"] for one in document["result"]["figures"]] == ["refund", "price"]
    assert document["result"]["history"][0]["rows_before_history"] == 12
