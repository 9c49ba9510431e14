"""What is told about sections that are wrong in themselves.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

import pytest
from config_sample import BreakSample

CASES = [
    pytest.param(
        {
            "gates:\n": "gates:\n  mode: on\n  calibration: {maximum_error: 0}\n  fairness: {by: [], measure: parity, maximum_gap: 2, minimum_row: 3}\n"
            "  loads: {rows: 0, maximum_difference: -1}\n",
            "by: [channel, weekday]": "by: [channel], must_have: {channel: []}",
        },
        [
            "67: gates.mode: found true; allowed: enforce, report, off",
            "68: gates.calibration.maximum_error: found 0; allowed: a number above 0",
            "69: gates.fairness.by: found []; allowed: at least one entry",
            "69: gates.fairness.maximum_gap: found 2; allowed: a number up to 1",
            "69: gates.fairness.measure: found 'parity'; allowed: demographic_parity, equal_opportunity",
            "69: gates.fairness.minimum_row: unknown key; allowed: by, measure, maximum_gap, minimum_rows; did you mean 'minimum_rows'?",
            "70: gates.loads.maximum_difference: found -1; allowed: a number from 0 up",
            "70: gates.loads.rows: found 0; allowed: a number from 1 up",
            "71: gates.slices.must_have.channel: found []; allowed: at least one entry",
        ],
        id="gates with impossible limits",
    ),
    pytest.param(
        {
            'label: "returned = 1"\n  label_matures_after: 14d': "label: {from: orders, entity: [], timestamp: ordered_on, "
            "within: 0d, valu: count(*) > 0}"
        },
        [
            "53: dataset.label.entity: found []; allowed: at least one entry",
            "53: dataset.label.valu: unknown key; allowed: from, where, entity, timestamp, within, value, available_after, complete_until; did you mean 'value'?",
            "53: dataset.label.value: missing: SQL aggregate over a decision's events, such as count(*) > 0",
            "53: dataset.label.within: found '0d'; allowed: a duration above 0",
        ],
        id="a label section with mistakes of its own",
    ),
    pytest.param(
        {'label: "returned = 1"': "label: 7"},
        [
            "53: dataset.label: found 7; allowed: SQL over one row, or events that tell it: {from: …, entity: …, timestamp: …, within: …, value: …}"
        ],
        id="a label that is neither text nor section",
    ),
    pytest.param(
        {"valid_until: 2024-04-01}": "valid_until: 2024-04-01, embargo: 60d}"},
        [
            "58: dataset.split: found {by: 'time', train_until: 2024-03-01, valid_until: 2024-04-01, embargo: '60d'}; allowed: an embargo shorter than from train_until to valid_until, or no row is left to tune on"
        ],
        id="an embargo that leaves nothing",
    ),
    pytest.param(
        {"mode: incremental": "mode: merge\n    merge: {history: true, orderby: [ordered_on]}"},
        [
            "10: sources.orders.merge.order_by: missing: columns; of two changes of a key the later by these holds, whichever came first",
            "10: sources.orders.merge.orderby: unknown key; allowed: order_by, deleted_when, history, future_tolerance; did you mean 'order_by'?",
        ],
        id="a history without an order",
    ),
    pytest.param(
        {"mode: incremental": "mode: merge\n    merge: {order_by: [], history: ordered_on}"},
        [
            "10: sources.orders.merge.history: found 'ordered_on'; allowed: true or false",
            "10: sources.orders.merge.order_by: found []; allowed: at least one entry",
        ],
        id="an empty order",
    ),
    pytest.param(
        {"note: {type: string,": "note: {type: string, length: [9, 3],"},
        ["18: sources.orders.columns.note.length: found [9, 3]; allowed: the fewest characters before the most"],
        id="a length that is none",
    ),
    pytest.param(
        {"note: {type: string,": "note: {type: string, length: [-1, 3.5],"},
        [
            "18: sources.orders.columns.note.length[0]: found -1; allowed: a number from 0 up",
            "18: sources.orders.columns.note.length[1]: found 3.5; allowed: a whole number",
        ],
        id="a length of less than nothing",
    ),
    pytest.param(
        {"returned: {type: int,": "returned: {type: int, length: [1, 1],"},
        ["17: sources.orders.columns.returned.length: a length for a int; allowed: a type of string"],
        id="a length of a number",
    ),
    pytest.param(
        {
            'expect: ["amount >= 0 or returned = 1"]': "expect: [7, {rul: amount > 0}, {rule: amout > 0, on_violation: wran}]"
        },
        [
            "21: sources.orders.expect[0]: found 7; allowed: a rule over one row, or {rule: …, on_violation: …}",
            "21: sources.orders.expect[1].rul: unknown key; allowed: rule, on_violation; did you mean 'rule'?",
            "21: sources.orders.expect[1].rule: missing: false violates, null does not",
            "21: sources.orders.expect[2].on_violation: found 'wran'; allowed: quarantine, fail, warn; did you mean 'warn'?",
        ],
        id="rules that are none",
    ),
    pytest.param(
        {'expect: ["amount >= 0 or returned = 1"]': "freshness: {of: amount, within: 2d}"},
        [
            "21: sources.orders.freshness.of: no column 'amount' in the dates and timestamps of the contract; allowed: ordered_on, is_large"
        ],
        id="freshness of a column that is no moment",
    ),
    pytest.param(
        {'expect: ["amount >= 0 or returned = 1"]': "skew: {of: [amuont], at_most: 1.5}"},
        ["21: sources.orders.skew.at_most: found 1.5; allowed: a number up to 1"],
        id="a share of more than all",
    ),
    pytest.param(
        {'expect: ["amount >= 0 or returned = 1"]': "skew: {of: [amuont], at_most: 0.5}"},
        [
            "21: sources.orders.skew.of[0]: no column 'amuont' in the contract; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large; did you mean 'amount'?"
        ],
        id="skew of a column that is not there",
    ),
    pytest.param(
        {'expect: ["amount >= 0 or returned = 1"]': "volume: {at_least: -1, changed_more_than: 0, of_last: 3}"},
        [
            "21: sources.orders.volume.at_least: found -1; allowed: a number from 0 up",
            "21: sources.orders.volume.changed_more_than: found 0; allowed: a number above 0",
            "21: sources.orders.volume.of_last: unknown key; allowed: at_least, changed_more_than, last_batches, on_violation; did you mean 'at_least'?",
        ],
        id="a volume that cannot be",
    ),
    pytest.param(
        {"freshness: 2d": "freshness: 2 days"},
        ["75: monitoring.freshness: found '2 days'; allowed: a number with a unit: 90s, 15m, 6h or 7d"],
        id="a duration in words",
    ),
    pytest.param(
        {"freshness: 2d": "freshness: 2"},
        ["75: monitoring.freshness: found 2; allowed: a number with a unit: 90s, 15m, 6h or 7d"],
        id="a duration without unit",
    ),
    pytest.param(
        {"valid_until: 2024-04-01": "valid_until: 2024-02-01"},
        [
            "58: dataset.split: found {by: 'time', train_until: 2024-03-01, valid_until: 2024-02-01}; allowed: train_until before valid_until before test_until"
        ],
        id="a split out of order",
    ),
    pytest.param(
        {"by: time": "by: tiem"},
        ["58: dataset.split.by: found 'tiem'; allowed: time, hash; did you mean 'time'?"],
        id="a kind of split misspelled",
    ),
    pytest.param({"{by: time, ": "{"}, ["58: dataset.split.by: missing; allowed: time, hash"], id="no kind of split"),
    pytest.param(
        {"  timestamp: ordered_on\n  label:": "  label:"},
        ["48: dataset.timestamp: missing: the moment the decision is made"],
        id="a missing key",
    ),
    pytest.param(
        {"      note: {": "      order note: {"},
        [
            "18: sources.orders.columns.order note: the name 'order note'; allowed: a name of letters, digits and _ that does not start with a digit"
        ],
        id="a space in a name",
    ),
    pytest.param(
        {"ops: [mean, count]": "ops: [avg, count]"},
        [
            "46: features.customer_orders.aggregate[0].ops[0]: found 'avg'; allowed: count, count_distinct, sum, mean, std, min, max, first, last, last_1 … last_99 (so many of the last values, newest first), most_frequent, a percentile p1 … p99; in snapshot views also approx_count_distinct and approx_p1 … approx_p99"
        ],
        id="an operation that is none",
    ),
    pytest.param(
        {"{type: double, b": "{type: float, b"},
        [
            "14: sources.orders.columns.amount.type: found 'float'; allowed: string, boolean, int, long, double, date, timestamp or decimal(precision,scale)"
        ],
        id="a type that is none",
    ),
    pytest.param(
        {"from: customers\n": "from: cust-omers\n"},
        [
            "36: features.customer.from: found 'cust-omers'; allowed: a table's name, a query (select …), {sql: …}, or {python: package.module:function}"
        ],
        id="a relation that is no name",
    ),
    pytest.param(
        {"from: customers\n": "from: [customers]\n"},
        [
            "36: features.customer.from: found ['customers']; allowed: a table's name, a query (select …), {sql: …}, or {python: package.module:function}"
        ],
        id="a relation as a list",
    ),
    pytest.param(
        {"from: customers\n": "from: {table: customers, sql: select 1}\n"},
        [
            "36: features.customer.from: found {table: 'customers', sql: 'select 1'}; allowed: one of: a table's name, {sql: …}, {python: package.module:function}"
        ],
        id="a relation of two forms",
    ),
    pytest.param(
        {"{loguniform: [1e-2, 0.3]}": "{loguniform: [1e-2, 0.3], choice: [1]}"},
        [
            "63: model.search.space.learning_rate: found {loguniform: [0.01, 0.3], choice: [1]}; allowed: exactly one of uniform, loguniform, quniform, qloguniform, uniformint, randint, normal, qnormal, lognormal, qlognormal, choice, pchoice"
        ],
        id="a distribution of two kinds",
    ),
    pytest.param(
        {"between: [0, 10000]": "between: [0]"},
        ["14: sources.orders.columns.amount.between: too few values; allowed: 2 numbers"],
        id="one bound of two",
    ),
    pytest.param(
        {"between: [0, 10000]": "between: [0,1,2]"},
        ["14: sources.orders.columns.amount.between: found [0, 1, 2]; allowed: at most 2 entries"],
        id="three bounds of two",
    ),
    pytest.param(
        {"{drift: {psi_over: 0.2}": "{drift: {psi_over: 0}"},
        ["75: monitoring.drift.psi_over: found 0; allowed: a number above 0"],
        id="a bound on a number",
    ),
    pytest.param(
        {'label: "returned = 1"': 'label: ""'},
        ["53: dataset.label: found ''; allowed: text that is not empty"],
        id="empty text",
    ),
    pytest.param(
        {"champion: publish": "champoin: publish"},
        [
            "73: scoring.roles.champoin: the name 'champoin'; allowed: champion, challenger, shadow; did you mean 'champion'?"
        ],
        id="a role misspelled",
    ),
    pytest.param(
        {"    from: customers\n": "    relation: customers\n"},
        [
            "33: features.customer.from: missing; allowed: a table's name, a query (select …), {sql: …}, or {python: package.module:function}",
            "36: features.customer.relation: unknown key; allowed: entity, timestamp, available_after, known_at, from, where, select, aggregate, accuracy, derive, ttl, impute, description, owner, columns",
        ],
        id="the typed object's name for the YAML's",
    ),
    pytest.param(
        {"${landing}/customers": "${landng}/customers"},
        [
            "23: sources.customers.path: the variable ${landng} is not set; allowed: landing, or an environment variable of that name; did you mean 'landing'?"
        ],
        id="an unset variable",
    ),
    pytest.param(
        {"${landing}/customers": "${landing/customers"},
        [
            "23: sources.customers.path: a ${ that starts no variable: '${landing/customers/*.csv'; allowed: ${name}, ${env:NAME}, or $${ for the characters themselves"
        ],
        id="a placeholder left open",
    ),
    pytest.param(
        {"${landing}/customers": "${env:SHOP_LANDING}/customers"},
        ["23: sources.customers.path: the environment variable SHOP_LANDING is not set"],
        id="an unset environment variable",
    ),
    pytest.param(
        {"sources:\n": "environment: {}\nsources:\n"},
        ["5: environment: not part of a use case; allowed: base.yml and its overlays"],
        id="an environment in a use case",
    ),
    pytest.param(
        {"name: shop": "name: shopp"},
        ["1: name: found 'shopp'; allowed: shop, as the file is called"],
        id="a name that is not the file's",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected
