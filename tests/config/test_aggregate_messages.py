"""What is told about aggregates: their operations, windows, values and derived columns.

Each case is an edit of the sample and the lines it is answered with, without the file's name.
"""

import pytest
from config_sample import BreakSample

from sparkml_ops.config.aggregates import name_value

AGGREGATE = "- {of: amount, ops: [mean, count], windows: [7d, 30d]}"
PLACE = "46: features.customer_orders.aggregate[0]"


def by(values: str) -> dict[str, str]:
    return {AGGREGATE: f"- {{of: amount, ops: [sum], windows: [7d], by: {values}}}"}


CASES = [
    pytest.param(
        {"ops: [mean, count]": "ops: [count_distnct]"},
        [
            f"{PLACE}.ops[0]: found 'count_distnct'; allowed: count, count_distinct, sum, mean, std, min, max, first, last, last_1 … last_99 (so many of the last values, newest first), most_frequent, a percentile p1 … p99; in snapshot views also approx_count_distinct and approx_p1 … approx_p99; did you mean 'count_distinct'?"
        ],
        id="an operation that is misspelt",
    ),
    pytest.param(
        {"ops: [mean, count]": "ops: [approx_p50]"},
        [
            f"{PLACE}.ops[0]: found approx_p50, a sketch of days, in a view whose windows slide with every instant; allowed: accuracy: snapshot for the view, or p50, which is exact"
        ],
        id="a sketch in a view that has no days",
    ),
    pytest.param(
        {AGGREGATE: f"{AGGREGATE}\n    accuracy: snapshot", "[7d, 30d]": "[36h, 30d]"},
        [
            f"{PLACE}.windows[0]: found 36h in a view whose accuracy is snapshot, as of midnights; allowed: whole days, or accuracy: temporal"
        ],
        id="a window of no whole number of days",
    ),
    pytest.param(
        {AGGREGATE: f"{AGGREGATE}\n    accuracy: snapshots"},
        [
            "47: features.customer_orders.accuracy: found 'snapshots'; allowed: temporal, snapshot; did you mean 'snapshot'?"
        ],
        id="an accuracy that is none",
    ),
    pytest.param(
        by("{channel: [web, shpo]}"),
        [f"{PLACE}.by.channel[1]: found 'shpo'; allowed: web, shop; did you mean 'shop'?"],
        id="a value that the contract does not allow",
    ),
    pytest.param(
        by("{returned: [true, '1']}"),
        [
            f"{PLACE}.by.returned[0]: found true for a int; allowed: values of returned: int",
            f"{PLACE}.by.returned[1]: found '1' for a int; allowed: values of returned: int",
        ],
        id="values of another type",
    ),
    pytest.param(
        by("{chanel: [web]}"),
        [
            f"{PLACE}.by.chanel: no column 'chanel' in orders; allowed: order_id, customer_id, amount, channel, ordered_on, returned, note, is_large, _ingested_at, _batch_id, _source_file; did you mean 'channel'?"
        ],
        id="values of a column that is not there",
    ),
    pytest.param(
        by("{note: [a-b, 'A b']}"),
        [
            f"{PLACE}: the column amount_sum_A_b_7d a second time; allowed: values of by whose names differ: 'a-b' and 'A b' have the same"
        ],
        id="values that make the same name",
    ),
    pytest.param(
        by("{note: [a], channel: [web]}"),
        [f"{PLACE}.by: found {{note: ['a'], channel: ['web']}}; allowed: one column and some of its values"],
        id="values of two columns",
    ),
    pytest.param(
        by("{note: []}"), [f"{PLACE}.by.note: found []; allowed: at least one entry"], id="a column without values"
    ),
    pytest.param(
        by("{note: [secret]}") | {"note: {type: string,": "note: {type: string, pii: true,"},
        [f"{PLACE}.by.note: personal data, whose values would be names of columns; allowed: another column"],
        id="values of personal data",
    ),
    pytest.param(
        {AGGREGATE: f'{AGGREGATE}\n    derive: {{share: "amount_cuont_7d / amount_count_30d", amount_mean_7d: "1"}}'},
        [
            "47: features.customer_orders.derive.amount_mean_7d: the name of another column of the view; allowed: another name",
            "47: features.customer_orders.derive.share: no column 'amount_cuont_7d' in the view; allowed: amount_mean_7d, amount_mean_30d, amount_count_7d, amount_count_30d; did you mean 'amount_count_7d'?",
        ],
        id="a derived column of a column that is not there",
    ),
    pytest.param(
        {"    ttl: 900d\n": "    ttl: 900d\n    derive: {x: age}\n"},
        [
            "39: features.customer.derive: without aggregates it means nothing; allowed: an expression of select",
        ],
        id="a derived column without aggregates",
    ),
]


@pytest.mark.parametrize(("edits", "expected"), CASES)
def test_message(edits: dict[str, str], expected: list[str], break_sample: BreakSample) -> None:
    assert break_sample(edits) == expected


def test_values_become_parts_of_names() -> None:
    values = ["web", "Web shop", -1.5, -3, 2, True, "Köln", "東", "", "--"]
    assert [name_value(value) for value in values] == [
        "web", "Web_shop", "minus_1_5", "minus_3", "2", "true", "Koln", "u6771", "empty", "blank"
    ]  # fmt: skip
