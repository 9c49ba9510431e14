"""What is told about sections that do not fit together.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

import pytest
from config_sample import BreakSample

CASES = [
    pytest.param(
        {"features: [customer, customer_orders]": "features: [customer, customer_order]"},
        [
            "55: dataset.features[1]: no feature view 'customer_order'; allowed: customer, customer_orders; did you mean 'customer_orders'?"
        ],
        id="an unknown view",
    ),
    pytest.param(
        {"entity: [order_id, customer_id, channel]": "entity: [order_id, channel]"},
        [
            "55: dataset.features[0]: customer is looked up by customer_id, which dataset.entity lacks; allowed: order_id, channel; did you mean 'order_id'?",
            "55: dataset.features[1]: customer_orders is looked up by customer_id, which dataset.entity lacks; allowed: order_id, channel; did you mean 'order_id'?",
        ],
        id="an entity that the dataset lacks",
    ),
    pytest.param(
        {"key: [order_id]\n  timestamp": "key: [orderid]\n  timestamp"},
        [
            "51: dataset.key[0]: no column 'orderid' in dataset.entity; allowed: order_id, customer_id, channel; did you mean 'order_id'?"
        ],
        id="a key outside the entity",
    ),
    pytest.param(
        {"dayofweek(ordered_on)": "dayofweek(ordered_on) + customer__agee"},
        [
            "57: dataset.derived.weekday: no column 'customer__agee' in the joined row: entity, timestamp, features, and what is derived above it; allowed: order_id, customer_id, channel, ordered_on, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'customer__age'?"
        ],
        id="a derived column of an unknown feature",
    ),
    pytest.param(
        {"dayofweek(ordered_on)": "returned"},
        [
            "57: dataset.derived.weekday: no column 'returned' in the joined row: entity, timestamp, features, and what is derived above it; allowed: order_id, customer_id, channel, ordered_on, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d"
        ],
        id="a derived column that would leak the label",
    ),
    pytest.param(
        {"    weekday:": "    label:"},
        [
            "57: dataset.derived.label: the name of a column of training sets or predictions; allowed: another name",
            "67: gates.slices.by[1]: no column 'weekday' in a judged row; allowed: order_id, customer_id, channel, label, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d",
        ],
        id="a derived column with a reserved name",
    ),
    pytest.param(
        {"is_large: amount > 100": "amount: amount > 100"},
        ["20: sources.orders.derive.amount: the name of a declared column; allowed: a new name"],
        id="a derived column over a declared one",
    ),
    pytest.param(
        {"is_large: amount > 100": "is_large: is_huge\n      is_huge: amount > 1000"},
        [
            "20: sources.orders.derive.is_large: no column 'is_huge' in the contract, or derived above it; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note"
        ],
        id="a derived column of a later one",
    ),
    pytest.param(
        {"      note: {": "      _note: {"},
        [
            "18: sources.orders.columns._note: a name that starts with _, which ingestion keeps for itself; allowed: another name"
        ],
        id="a column named as ingestion's own",
    ),
    pytest.param(
        {"channel: {type: string, in: [web, shop]}": "channel: {type: string, between: [1, 2]}"},
        [
            "15: sources.orders.columns.channel.between: bounds for a string; allowed: a type of int, long, double, decimal"
        ],
        id="bounds for text",
    ),
    pytest.param(
        {"between: [0, 10000]": "between: [10, 0]"},
        ["14: sources.orders.columns.amount.between: found [10, 0]; allowed: the lowest value before the highest"],
        id="bounds the wrong way round",
    ),
    pytest.param(
        {"amount: {type: double, ": "amount: {type: double, format: yyyy, "},
        [
            "14: sources.orders.columns.amount.format: a datetime pattern for a double; allowed: a type of date, timestamp"
        ],
        id="a datetime pattern for a number",
    ),
    pytest.param(
        {"in: [0, 1]": "in: [zero, 1]"},
        ["17: sources.orders.columns.returned.in[0]: found 'zero'; allowed: whole numbers, since the type is int"],
        id="text among whole numbers",
    ),
    pytest.param(
        {"note: {type: string,": 'note: {type: string, matches: "[a-",'},
        ["18: sources.orders.columns.note.matches: '[a-' is no regular expression: unterminated character set"],
        id="a broken regular expression",
    ),
    pytest.param(
        {"by: [channel, weekday]": "by: [chanel]"},
        [
            "67: gates.slices.by[0]: no column 'chanel' in a judged row; allowed: order_id, customer_id, channel, weekday, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'channel'?"
        ],
        id="slices by an unknown column",
    ),
    pytest.param(
        {'"avg(case when prediction > 0.5 then label end)"': '"predictions > 0.5"'},
        [
            "68: gates.kpi.sql: no column 'predictions' in a judged row; allowed: prediction, label, ordered_on, order_id, customer_id, channel, weekday, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'prediction'?"
        ],
        id="a business figure that is no aggregate",
    ),
    pytest.param(
        {"as_of: ordered_on": "as_of: orderd_on"},
        [
            "72: scoring.as_of: no column 'orderd_on' in the query; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large, _ingested_at, _batch_id, _source_file; did you mean 'ordered_on'?"
        ],
        id="an unknown moment in scoring",
    ),
    pytest.param(
        {"select * from orders where ordered_on >= '2024-05-01'": "select order_id, ordered_on from orders"},
        [
            "71: scoring.from: the query lacks the entity columns customer_id, channel; allowed: every column of dataset.entity"
        ],
        id="a request without the entity",
    ),
    pytest.param(
        {"{champion: publish, challenger: shadow}": "{champion: shadow}"},
        ["73: scoring.roles: published by nobody; allowed: publish for exactly one role"],
        id="nobody publishes",
    ),
    pytest.param(
        {"parallelism: 1": "parallelism: 5"},
        ["63: model.search.parallelism: found 5, with 4 trials in all; allowed: at most max_trials"],
        id="more trials at a time than in all",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected
