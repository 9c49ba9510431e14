"""What `train` prints of its diagnosis."""

from sparkml_ops.cli.diagnosis_lines import describe_findings


def test_each_finding_has_a_sign_and_what_to_try() -> None:
    found = [
        {"finding": "a", "severity": "attention", "sentence": "too little data", "advice": "wait"},
        {"finding": "b", "severity": "info", "sentence": "few days", "advice": "take more"},
    ]
    assert describe_findings(found) == [
        "diagnosis (! wants attention):",
        "  ! too little data",
        "      to try: wait",
        "  - few days",
        "      to try: take more",
    ]


def test_nothing_found_prints_nothing() -> None:
    assert describe_findings([]) == []
