"""Every kind of leakage is planted once and found; where nothing is planted, nothing is found."""

from sparkml_ops.features import audit_training_set
from sparkml_ops.lake import read_table


def findings(result):
    return {(figure.check, figure.subject) for figure in result.findings}


def test_nothing_is_found_in_the_shop(trained, use_case):
    result = audit_training_set(use_case, trained, run_id="look")
    assert findings(result) == set()
    assert {(each.view, each.rows, each.rows_before_history) for each in result.history} == {
        ("spending", 7, 7),
        ("profile", 7, 7),
        ("dataset.derived", 7, 0),
    }
    run = read_table(trained, "runs").filter("step = 'audit'").collect()[0]
    assert (run["status"], run["details"]["findings"], run["details"]["training_set"]) == (
        "succeeded",
        "0",
        result.training_set,
    )
    kept = read_table(trained, "metrics").filter("scope = 'audit'")
    assert {(row["name"], row["subject"], row["verdict"]) for row in kept.collect()} == {
        (figure.check, figure.subject, figure.verdict) for figure in result.figures
    }
