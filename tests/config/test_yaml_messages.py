"""What is told about YAML that does not say what was meant.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

import pytest
from config_sample import BreakSample

CASES = [
    pytest.param(
        {"    columns:\n      order_id": "    colums:\n      order_id"},
        [
            "6: sources.orders.columns: missing",
            "11: sources.orders.colums: unknown key; allowed: path, format, mode, merge, contract, key, columns, derive, expect, on_violation, max_violation_ratio, volume, freshness, skew, new_columns, … (24 in all); did you mean 'columns'?",
        ],
        id="an unknown key",
    ),
    pytest.param(
        {"monitoring:": "monitorring:"},
        [
            "75: monitorring: unknown key; allowed: name, description, owner, sources, features, dataset, audit, model, gates, scoring, serving, exports, monitoring, maintenance; did you mean 'monitoring'?"
        ],
        id="an unknown section",
    ),
    pytest.param(
        {"format: csv\n    mode: incremental": "format: cvs\n    mode: incremental"},
        [
            "8: sources.orders.format: found 'cvs'; allowed: csv, json, parquet, jdbc, delta, python; did you mean 'csv'?"
        ],
        id="a choice misspelled",
    ),
    pytest.param(
        {"max_trials: 4": 'max_trials: "four"'},
        ["63: model.search.max_trials: found 'four'; allowed: a whole number"],
        id="text for a number",
    ),
    pytest.param(
        {"owner: ops@example.org": "owner: 12"},
        ["3: owner: found 12: put quotes around it; allowed: text"],
        id="a number for text",
    ),
    pytest.param(
        {"max_trials: 4": "max_trials: 4.5"},
        ["63: model.search.max_trials: found 4.5; allowed: a whole number"],
        id="a fraction for a whole number",
    ),
    pytest.param(
        {"at_least: 0.1": "at_least: .nan"},
        ["68: gates.kpi.at_least: found nan; allowed: a finite number"],
        id="not a number",
    ),
    pytest.param(
        {"in: [web, shop]": "in: [web, no]"},
        [
            "15: sources.orders.columns.channel.in[1]: found false, which is how YAML reads the bare word no: put quotes around it; allowed: text or a number"
        ],
        id="the Norway problem in a list",
    ),
    pytest.param(
        {"note: {type": "no: {type"},
        ['18: sources.orders.columns.no: the bare word no as a key, which YAML reads as true or false; allowed: "no"'],
        id="the Norway problem in a key",
    ),
    pytest.param(
        {"in: [0, 1]": "in: [00, 01]"},
        [
            '17: sources.orders.columns.returned.in[0]: 00, which YAML reads to base 8; allowed: 0, or "00" for text',
            '17: sources.orders.columns.returned.in[1]: 01, which YAML reads to base 8; allowed: 1, or "01" for text',
        ],
        id="numbers with leading zeros",
    ),
    pytest.param(
        {"description: Will the order be returned?": "description: 2024-01-01"},
        ["2: description: found 2024-01-01: put quotes around it; allowed: text"],
        id="a date for text",
    ),
    pytest.param(
        {"train_until: 2024-03-01": "train_until: 2024-02-31"},
        ["58: dataset.split.train_until: '2024-02-31' is no timestamp"],
        id="a day that is not in the calendar",
    ),
    pytest.param(
        {"train_until: 2024-03-01": "train_until: 0001-01-01T00:00+05:00"},
        [
            "58: dataset.split.train_until: found '0001-01-01T00:00+05:00'; allowed: a time within the years 1 to 9999, in UTC too"
        ],
        id="an instant before the calendar's first in UTC",
    ),
    pytest.param(
        {"owner: ops@example.org": "owner: a\nname: other\nowner: b"},
        ["4: name: written twice; first in line 1", "5: owner: written twice; first in line 3"],
        id="two keys written twice",
    ),
    pytest.param(
        {"  task: binary": "\ttask: binary"},
        ["61: cannot be read: a tab; YAML is indented with spaces, in the line 'task: binary'"],
        id="a tab",
    ),
    pytest.param(
        {"description: Will the order": "description: Will: the order"},
        [
            "2: cannot be read: a second ': ' on one line; put quotes around text that holds ': ', in the line 'description: Will: the order be returned?'"
        ],
        id="a second colon",
    ),
    pytest.param(
        {"  estimator: lightgbm": "   estimator: lightgbm"},
        [
            "62: cannot be read: a key below a value, or indented deeper than its neighbours, in the line 'estimator: lightgbm'"
        ],
        id="indented too deep",
    ),
    pytest.param(
        {"key: [order_id]\n    columns": "key: [order_id\n    columns"},
        [
            "10: cannot be read: a bracket that is not closed with ], or a comma that is missing, in the line 'key: [order_id'"
        ],
        id="a bracket left open",
    ),
    pytest.param(
        {"at_least: 0.1}": "at_least: ${floor}}"},
        [
            '68: cannot be read: a ${…} within brackets, which needs quotes around it, in the line \'kpi: {sql: "avg(case when prediction > 0.5 then label end)", at_least: ${floor}… (82 characters)'
        ],
        id="a variable within brackets",
    ),
    pytest.param(
        {'label: "returned = 1"': 'label: "returned = 1'},
        [
            "57: cannot be read: a line whose indentation fits nothing above it, in the line 'weekday: \"dayofweek(ordered_on)\"'"
        ],
        id="a quote left open",
    ),
    pytest.param(
        {"owner: ops@example.org": "owner: !!python/object/apply:os.system [id]"},
        ["3: owner: the tag '!!python/object/apply:os.system'; allowed: plain data (text, numbers, lists, mappings)"],
        id="a tag that would run code",
    ),
    pytest.param(
        {"owner: ops@example.org": "owner: *nobody"},
        ["3: cannot be read: an alias *nobody without an anchor &nobody above it, in the line 'owner: *nobody'"],
        id="an alias of nothing",
    ),
    pytest.param(
        {"model:\n": "---\nmodel:\n"},
        ["60: cannot be read: a second document (---); a file holds one, in the line '---'"],
        id="two documents",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected
