"""What is told about sections that do not fit together.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

import pytest
from config_sample import BreakSample

CASES = [
    pytest.param(
        {"freshness: 2d}": "freshness: 2d}\naudit: {label_copy_over: 0.5, unique_over: 1.0, rows: 0, acept: {}}"},
        [
            "76: audit.acept: unknown key; allowed: rows, sample_rows, label_copy_over, missing_tells_over, duplicate_rows_over, unique_over, changed_since_over, accept; did you mean 'accept'?",
            "76: audit.label_copy_over: found 0.5; allowed: a number above 0.5",
            "76: audit.rows: found 0; allowed: a number from 1 up",
            "76: audit.unique_over: found 1.0; allowed: a number below 1",
        ],
        id="an audit whose limits mean nothing",
    ),
    pytest.param(
        {"freshness: 2d}": "freshness: 2d}\naudit:\n  accept: {customer__aged: known at birth, weekday: ''}"},
        ["77: audit.accept.weekday: found ''; allowed: text that is not empty"],
        id="a finding that is accepted without a reason",
    ),
    pytest.param(
        {
            "freshness: 2d}": "freshness: 2d}\naudit:\n  accept: {customer__aged: known at birth, weekday: it is a calendar}"
        },
        [
            "77: audit.accept.customer__aged: 'customer__aged' is no feature of the dataset; allowed: customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d, weekday; did you mean 'customer__age'?"
        ],
        id="a finding that is accepted of what is no feature",
    ),
    pytest.param(
        {
            "freshness: 2d}": "freshness: 2d}\nmaintenance:\n  keep: 6d\n  keep_training_sets: 0\n"
            "  cluster_by: {clean_order: [amount], clean_orders: [amount, amount, chanel]}"
        },
        [
            "77: maintenance.keep: found '6d'; allowed: 7d or more, because running steps and readers need the files of the last week",
            "78: maintenance.keep_training_sets: found 0; allowed: a number from 1 up",
        ],
        id="an upkeep that cannot be",
    ),
    pytest.param(
        {
            "freshness: 2d}": "freshness: 2d}\nmaintenance:\n  cluster_by: {clean_order: [amount], "
            "clean_orders: [amount, amount, chanel], features_customer: [joined]}"
        },
        [
            "77: maintenance.cluster_by.clean_order: no table 'clean_order'; allowed: clean_orders, clean_customers, features_customer, features_customer_orders, predictions, predictions_current; did you mean 'clean_orders'?",
            "77: maintenance.cluster_by.clean_orders[1]: 'amount' a second time",
            "77: maintenance.cluster_by.clean_orders[2]: no column 'chanel' in clean_orders; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large, _ingested_at, _batch_id, _source_file; did you mean 'channel'?",
            "77: maintenance.cluster_by.features_customer[0]: no column 'joined' in features_customer; allowed: customer_id, joined_on, _known_at, age, is_adult; did you mean 'joined_on'?",
        ],
        id="clustering of what is not there",
    ),
    pytest.param(
        {
            "format: csv\n    mode: incremental": "format: csv\n    delimiter: '\"'\n    partition_columns: [ordered]\n    mode: incremental"
        },
        [
            """9: sources.orders.delimiter: '"' cannot divide values; allowed: a sign that no value is written with""",
            "10: sources.orders.partition_columns[0]: no column 'ordered' in the declared columns; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note; did you mean 'ordered_on'?",
        ],
        id="a delimiter that cannot be, and a partition that is no column",
    ),
    pytest.param(
        {"format: csv\n    mode: incremental": "format: parquet\n    multiline: true\n    mode: incremental"},
        ["9: sources.orders.multiline: a multiline for parquet; allowed: format: csv with it"],
        id="lines of parquet",
    ),
    pytest.param(
        {
            "amount: {type: double": "amount: {references: customer.customer_id, type: double",
            "customer_id: {type: string}": "customer_id: {references: customers.id, type: string}",
            "channel: {type: string": "channel: {references: orders.channel, type: string",
        },
        [
            "13: sources.orders.columns.customer_id.references: no column 'id' in customers; allowed: customer_id, joined_on, age",
            "14: sources.orders.columns.amount.references: there is no source 'customer'; allowed: a source: orders, customers; did you mean 'customers'?",
            "15: sources.orders.columns.channel.references: the source itself; allowed: another source: its rows must be there first",
        ],
        id="references that lead nowhere",
    ),
    pytest.param(
        {"features: [customer, customer_orders]": "features: [customer, customer_order]"},
        [
            "55: dataset.features[1]: no feature view 'customer_order'; allowed: customer, customer_orders; did you mean 'customer_orders'?"
        ],
        id="an unknown view",
    ),
    pytest.param(
        {
            'label: "returned = 1"': "label: {from: order, entity: [customer, order_id], timestamp: returned_on, within: 14d, "
            "value: amount > 1, complete_until: now()}"
        },
        [
            "53: dataset.label.complete_until: `now()` is a value for each row; allowed: an aggregate, such as avg(…)",
            "53: dataset.label.entity[0]: no column 'customer' in dataset.entity; allowed: order_id, customer_id, channel; did you mean 'customer_id'?",
            "53: dataset.label.from: no source feeds it: 'order'; allowed: a source: orders, customers; did you mean 'orders'?",
            "53: dataset.label.value: `amount > 1` is a value for each row; allowed: an aggregate, such as avg(…)",
            "54: dataset.label_matures_after: a label that events tell matures after its own `within` and `available_after`; allowed: the one or the other",
        ],
        id="a label from events that are not there",
    ),
    pytest.param(
        {
            'label: "returned = 1"\n  label_matures_after: 14d': "label: {from: orders, entity: [channel], timestamp: orderd_on, "
            "within: 14d, value: first(returned) = 1}"
        },
        [
            "53: dataset.label.timestamp: no column 'orderd_on' in orders; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large, _ingested_at, _batch_id, _source_file; did you mean 'ordered_on'?",
            "53: dataset.label.value: first() in `first(returned) = 1` answers differently each time; allowed: expressions that can be computed again with the same result",
        ],
        id="a label of whichever event comes first",
    ),
    pytest.param(
        {"valid_until: 2024-04-01}": "valid_until: 2024-04-01, groups: [customer_id, age]}"},
        ["58: dataset.split.groups[1]: no column 'age' in dataset.entity; allowed: order_id, customer_id, channel"],
        id="groups that the entity lacks",
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
        {"mode: incremental": "mode: incremental\n    merge: {order_by: [ordered_on]}"},
        ["10: sources.orders.merge: an order of changes for the mode incremental; allowed: mode: merge with it"],
        id="an order without a merge",
    ),
    pytest.param(
        {
            "mode: incremental": "mode: merge\n    merge: {order_by: [orderd_on, note, order_id], deleted_when: \"op = 'd'\"}"
        },
        [
            "10: sources.orders.merge.deleted_when: no column 'op' in the contract; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large",
            "10: sources.orders.merge.order_by[0]: no column 'orderd_on' in the contract; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large; did you mean 'ordered_on'?",
            "10: sources.orders.merge.order_by[1]: 'note' is declared nullable; allowed: columns that are never null",
            "10: sources.orders.merge.order_by[2]: 'order_id' is part of the key; allowed: columns that tell apart the changes of a key",
        ],
        id="an order that is none",
    ),
    pytest.param(
        {"mode: incremental": "mode: merge\n    merge: {order_by: [amount, ordered_on], history: true}"},
        [
            "10: sources.orders.merge.history: order_by starts with amount, a double; allowed: a date or timestamp first: it is what a version holds from"
        ],
        id="a history without moments",
    ),
    pytest.param(
        {
            "mode: incremental": "mode: merge\n    merge: {order_by: [ordered_on], history: true}",
            "      note: {": "      valid_to: {",
        },
        ["19: sources.orders.columns.valid_to: the name of a column that merge.history adds; allowed: another name"],
        id="a column named as the history's own",
    ),
    pytest.param(
        {"mode: incremental": "mode: merge\n    merge: {order_by: [ordered_on], future_tolerance: 90000d}"},
        ["10: sources.orders.merge.future_tolerance: found 90000d; allowed: a hundred years or less"],
        id="a tolerance of centuries",
    ),
    pytest.param(
        {"mode: incremental": "mode: merge\n    merge: {order_by: [amount], future_tolerance: 1h}"},
        [
            "10: sources.orders.merge.future_tolerance: no column of order_by is a date or a timestamp; allowed: order_by with one, or no tolerance"
        ],
        id="a tolerance without moments",
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
        {
            "by: [channel, weekday]": "by: [channel], must_have: {chanel: [web], weekday: [1], channel: [web, shop, web]}"
        },
        [
            "67: gates.slices.must_have.chanel: no column that gates.slices.by slices by; allowed: channel; did you mean 'channel'?",
            "67: gates.slices.must_have.channel[2]: 'web' a second time",
            "67: gates.slices.must_have.weekday: no column that gates.slices.by slices by; allowed: channel",
        ],
        id="named slices of columns that do not slice",
    ),
    pytest.param(
        {"slices: {by: [channel, weekday]}": "fairness: {by: [chanel]}"},
        [
            "67: gates.fairness.by[0]: no column 'chanel' in a judged row; allowed: order_id, customer_id, channel, weekday, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'channel'?"
        ],
        id="fairness between groups of an unknown column",
    ),
    pytest.param(
        {'"avg(case when prediction > 0.5 then label end)"': '"predictions > 0.5"'},
        [
            "68: gates.kpi.sql: no column 'predictions' in a judged row; allowed: prediction, label, ordered_on, order_id, customer_id, channel, weekday, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'prediction'?"
        ],
        id="a business figure that is no aggregate",
    ),
    pytest.param(
        {
            "  metric: roc_auc\n": "  metric: roc_auc\n  evaluation: {kpi: {cost: {value: sum(label), better: lower}, share: {value: label, per: amuont * rand(), better: higher}}}\n"
        },
        [
            "65: model.evaluation.kpi.cost.value: `sum(label)` looks at more than one row; allowed: an expression over one row",
            "65: model.evaluation.kpi.share.per: no column 'amuont' in a judged row; allowed: prediction, predicted_class, order_id, customer_id, channel, ordered_on, label, split, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d, weekday",
        ],
        id="business figures of a version",
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
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  class_weight: balancd\n  monotone: {weekday: up, 2x: increasing}"},
        [
            "65: model.class_weight: found 'balancd'; allowed: balanced; did you mean 'balanced'?",
            "66: model.monotone.2x: the name '2x'; allowed: a name of letters, digits and _ that does not start with a digit",
            "66: model.monotone.weekday: found 'up'; allowed: increasing, decreasing",
        ],
        id="weights and directions by other words",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  class_weight: {0: 0, 1: .inf, 2: 1}"},
        [
            "65: model.class_weight.0: found 0; allowed: a number above 0",
            "65: model.class_weight.1: found inf; allowed: a finite number",
            "65: model.class_weight.2: unknown key; allowed: 0, 1",
        ],
        id="class weights that weigh nothing, or too much",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  class_weight: {1: 5}"},
        ["65: model.class_weight.0: missing: of rows whose label is 0"],
        id="a class without a weight",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  costs: {false_positive: .inf, false_negativ: 2}"},
        [
            "65: model.costs.false_negativ: unknown key; allowed: false_positive, false_negative, true_positive, true_negative; did you mean 'false_negative'?",
            "65: model.costs.false_negative: missing: of a positive row that was not taken for one",
            "65: model.costs.false_positive: found inf; allowed: a finite number",
        ],
        id="costs of what is no outcome",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  costs: {false_positive: 1, false_negative: 5, true_positive: 6}"},
        [
            "65: model.costs: found {false_positive: 1, false_negative: 5, true_positive: 6}; allowed: a false_positive that costs more than a true_negative, a false_negative more than a true_positive"
        ],
        id="a mistake that costs less than being right",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  class_weight: 3"},
        ["65: model.class_weight: found 3; allowed: balanced, or {0: a weight, 1: a weight}"],
        id="one class weight for both",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  sample_weight: amount * 2\n  monotone: {customer__ag: increasing}"},
        [
            "65: model.sample_weight: no column 'amount' in the training set; allowed: order_id, customer_id, channel, ordered_on, label, split, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d, weekday",
            "66: model.monotone.customer__ag: 'customer__ag' is no feature of the dataset; allowed: customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d, weekday; did you mean 'customer__age'?",
        ],
        id="weights and directions of columns that are not there",
    ),
    pytest.param(
        {
            "metric: roc_auc": "metric: roc_auc\n  sample_weight: sum(weekday) + rand()\n  monotone: {order_id: increasing}"
        },
        [
            "65: model.sample_weight: `sum(weekday) + rand()` looks at more than one row; allowed: an expression over one row",
            "66: model.monotone.order_id: 'order_id' is no feature of the dataset; allowed: customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d, weekday",
        ],
        id="a weight over many rows",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  sample_weight: Weekday\n  monotone: {weekday: decreasing}"},
        [
            "66: model.monotone.weekday: 'weekday' is model.sample_weight, and so no feature; allowed: another column, or a weight computed from this one"
        ],
        id="a direction for the weight",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  card: {intended_usage: x, limits: [a, b]}"},
        [
            "65: model.card.intended_usage: unknown key; allowed: intended_use, limits; did you mean 'intended_use'?",
            "65: model.card.limits: found ['a', 'b']; allowed: text",
        ],
        id="a card with other words",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  segment_by: 3"},
        [
            "65: model.segment_by: found 3; allowed: a column, a list of columns, or {columns: […], minimum_rows: …, minimum_gain: …, confidence: …}"
        ],
        id="segments by a number",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  segment_by: {colums: [weekday], minimum_rows: 10, confidence: 1}"},
        [
            "65: model.segment_by.columns: missing: entity or feature columns; each divides the segments of those before it",
            "65: model.segment_by.colums: unknown key; allowed: columns, minimum_rows, minimum_gain, confidence; did you mean 'columns'?",
            "65: model.segment_by.confidence: found 1; allowed: a number below 1",
            "65: model.segment_by.minimum_rows: found 10; allowed: a number from 50 up",
        ],
        id="segments by no column",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  segment_by: [channel, Channel]"},
        ["65: model.segment_by: found ['channel', 'Channel']; allowed: each column once"],
        id="segments by one column twice",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  segment_by: [chanel]\n  sample_weight: weekday"},
        [
            "65: model.segment_by: 'chanel' is no entity or feature column of the dataset; allowed: order_id, customer_id, channel, customer__age, customer__is_adult, customer_orders__amount_mean_7d, customer_orders__amount_mean_30d, customer_orders__amount_count_7d, customer_orders__amount_count_30d; did you mean 'channel'?"
        ],
        id="segments by a column that is not there",
    ),
    pytest.param(
        {"metric: roc_auc": "metric: roc_auc\n  card: to plan the day"},
        ["65: model.card: found 'to plan the day'; allowed: a mapping of keys"],
        id="a card that is one text",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected
