"""What is told about feature views that their sources do not feed.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

import pytest
from config_sample import BreakSample

CASES = [
    pytest.param(
        {"from: customers\n": "from: custmers\n"},
        [
            "36: features.customer.from: no source feeds it: 'custmers'; allowed: a source: orders, customers, or features_<view>; did you mean 'customers'?"
        ],
        id="a view that no source feeds",
    ),
    pytest.param(
        {"from: customers\n": "from: select * from custmers join weather using (a)\n"},
        [
            "36: features.customer.from: no source feeds it: 'custmers', 'weather'; allowed: a source: orders, customers, or features_<view>; did you mean 'customers'?"
        ],
        id="a query over tables that no source feeds",
    ),
    pytest.param(
        {"from: customers\n": "from: SELECT * FROM features_customer\n"},
        [
            "35: features.customer.timestamp: no column 'joined_on' in the query; allowed: customer_id, timestamp, _known_at, age, is_adult",
            "36: features.customer.from: made of itself: customer < customer; allowed: a view of other tables",
        ],
        id="a view that is made of itself",
    ),
    pytest.param(
        {"from: customers\n": "from: select age from customers where\n"},
        [
            "36: features.customer.from: no SQL SELECT: `select age from customers where`; it breaks at `where` after `select age from customers` (line 1, character 31)"
        ],
        id="a query that ends too early",
    ),
    pytest.param(
        {"from: customers\n": "from: select * from prod.customers\n"},
        ["36: features.customer.from: tables go by their plain names here: prod.customers"],
        id="a table outside the lake",
    ),
    pytest.param(
        {'is_adult: "age >= 18"': 'is_adult: "ag >= 18"'},
        [
            "37: features.customer.select.is_adult: no column 'ag' in customers; allowed: customer_id, joined_on, age, _ingested_at, _batch_id, _source_file; did you mean 'age'?"
        ],
        id="a column that the contract lacks",
    ),
    pytest.param(
        {'is_adult: "age >= 18"': 'is_adult: "age >="'},
        [
            "37: features.customer.select.is_adult: no SQL expression: `age >=`; it breaks at `>=` after `age` (line 1, character 6)"
        ],
        id="an expression that ends too early",
    ),
    pytest.param(
        {'is_adult: "age >= 18"': 'is_adult: "1; DROP TABLE orders"'},
        [
            "37: features.customer.select.is_adult: no SQL expression: `1; DROP TABLE orders`; it breaks at `DROP` after `1;` (line 1, character 7)"
        ],
        id="two statements for an expression",
    ),
    pytest.param(
        {'is_adult: "age >= 18"': 'is_adult: "rand() > 0.5"'},
        [
            "37: features.customer.select.is_adult: rand() in `rand() > 0.5` answers differently each time; allowed: expressions that can be computed again with the same result"
        ],
        id="a function that answers differently each time",
    ),
    pytest.param(
        {'is_adult: "age >= 18"': 'is_adult: "avg(age)"'},
        [
            "37: features.customer.select.is_adult: `avg(age)` looks at more than one row; allowed: an expression over one row"
        ],
        id="an aggregate where a row is asked",
    ),
    pytest.param(
        {'is_adult: "age >= 18"': 'is_adult: "age > (select 1)"'},
        [
            "37: features.customer.select.is_adult: a query within an expression: `age > (select 1)`; a relation {sql: …} can hold it"
        ],
        id="a query within an expression",
    ),
    pytest.param(
        {"entity: [customer_id]\n    timestamp: joined_on": "entity: [Customer_Id]\n    timestamp: joined_on"},
        [
            "34: features.customer.entity[0]: no column 'Customer_Id' in customers; allowed: customer_id, joined_on, age, _ingested_at, _batch_id, _source_file; did you mean 'customer_id'?",
            "55: dataset.features[0]: customer is looked up by Customer_Id, which dataset.entity lacks; allowed: order_id, customer_id, channel; did you mean 'customer_id'?",
        ],
        id="a column in other letters",
    ),
    pytest.param(
        {"of: amount,": "of: amount * 2,"},
        [
            "46: features.customer_orders.aggregate[0].name: missing, while `of` is an expression; allowed: a name, from which the columns are named"
        ],
        id="an aggregate of an expression without a name",
    ),
    pytest.param(
        {"available_after: 1h": "available_after: 8d"},
        [
            "46: features.customer_orders.aggregate[0].windows[0]: found 7d, which has passed before an event may be known; allowed: windows longer than available_after, 8d"
        ],
        id="a window within available_after",
    ),
    pytest.param(
        {"windows: [7d, 30d]": "windows: [7d, 168h]"},
        [
            "46: features.customer_orders.aggregate[0]: the column amount_mean_7d a second time; allowed: names, ops and windows that differ"
        ],
        id="one window written in two ways",
    ),
    pytest.param(
        {
            "impute: {age: {with: median, flag: true}}": "impute: {age: {with: none}, is_adult: {with: none, flag: true}}"
        },
        [
            "39: features.customer.impute.age: with: none, and no flag: nothing would be done; allowed: flag: true, or a value to fill with"
        ],
        id="an impute that does nothing",
    ),
    pytest.param(
        {
            'weekday: "dayofweek(ordered_on)"': 'weekday: "dayofweek(ordered_on)"\n  impute: {wekday: {with: mean}, weekday: {with: constant}}'
        },
        [
            "58: dataset.impute.weekday.value: missing, while with is constant; allowed: the constant",
            "58: dataset.impute.wekday: no column 'wekday' that is derived and learned from; allowed: weekday; did you mean 'weekday'?",
        ],
        id="an impute of what is not derived",
    ),
    pytest.param(
        {"estimator: lightgbm": "estimator: lightgbm\n  diagnosis: perhaps\n  diagnose: true"},
        [
            "63: model.diagnosis: found 'perhaps'; allowed: true or false",
            "64: model.diagnose: unknown key; allowed: task, estimator, params, search, metric, early_stopping_rounds, levels, class_weight, sample_weight, monotone, costs, evaluation, card, diagnosis, segment_by; did you mean 'diagnosis'?",
        ],
        id="a diagnosis that is neither on nor off",
    ),
    pytest.param(
        {"estimator: lightgbm": "estimator: lightgbm\n  levels: {at_most: 256, at_least: 0, others: rare}"},
        [
            "63: model.levels.at_least: found 0; allowed: a number from 1 up",
            "63: model.levels.at_most: found 256; allowed: a number up to 255",
            "63: model.levels.others: found 'rare'; allowed: missing, level",
        ],
        id="levels that cannot be",
    ),
    pytest.param(
        {"impute: {age:": "impute: {aeg:"},
        ["39: features.customer.impute.aeg: no column 'aeg' in the view; allowed: age, is_adult; did you mean 'age'?"],
        id="a column to impute that the view lacks",
    ),
    pytest.param(
        {"    ttl: 900d": "    ttl: 900d\n    columns: {aeg: {description: years}, age: {descrption: years}}"},
        [
            "39: features.customer.columns.age.descrption: unknown key; allowed: description, owner; did you mean 'description'?",
        ],
        id="a misspelled key of a column's meaning",
    ),
    pytest.param(
        {"    ttl: 900d": "    ttl: 900d\n    columns: {aeg: {description: years}}"},
        ["39: features.customer.columns.aeg: no column 'aeg' in the view; allowed: age, is_adult; did you mean 'age'?"],
        id="a column to describe that the view lacks",
    ),
    pytest.param(
        {"with: median": "with: constant"},
        ["39: features.customer.impute.age.value: missing, while with is constant; allowed: the constant"],
        id="a constant without its value",
    ),
    pytest.param(
        {
            "  customer_orders:\n": "  customer__orders:\n",
            "features: [customer, customer_orders]": "features: [customer, customer__orders]",
        },
        [
            "40: features.customer__orders: __ in a view's name; allowed: single underscores; __ stands between view and column"
        ],
        id="two underscores in a view's name",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected
