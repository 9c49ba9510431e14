"""A view that is thought about: previewed, held against examples, checked, documented, and written nowhere."""

from datetime import timedelta

import pytest
from notebook_shop import at

from sparkml_ops.errors import ConfigError

PAID = {
    "entity": ["customer"],
    "timestamp": "paid_at",
    "from": "orders",
    "select": {"amount": "amount", "is_large": "amount > 50"},
    "ttl": "1h",
    "owner": "ann@example.org",
}
ENDLESS: dict[str, object] = {}
ENDLESS["columns"] = ENDLESS


def paid(project, **keys):
    return project.define_view("paid", {**PAID, **keys})


@pytest.mark.parametrize(
    ("name", "definition", "message"),
    [
        ("paid", PAID | {"timestmp": "x"}, "<python>: features.paid.timestmp: unknown key; allowed: "),
        ("paid", PAID | {"entity": ["custmer"]}, "did you mean 'customer'?"),
        ("paid", PAID | {"select": {"a": "amout + 1"}}, "no column 'amout' in orders"),
        ("paid", PAID | {"ttl": "soon"}, "features.paid.ttl: found 'soon'; allowed: a number with a unit"),
        ("paid", PAID | {"ttl": timedelta(milliseconds=5)}, "features.paid.ttl: found datetime.timedelta"),
        ("paid", PAID | {"select": {"a": lambda: 1}}, "features.paid.select.a: <function"),
        ("paid", PAID | {"select": {1: "amount"}}, "features.paid.select: the key 1 is no text"),
        ("paid", {}, "features.paid"),
        ("paid", None, "features.paid: expected a mapping with the YAML's keys, found nothing"),
        ("spending", None, "features.spending: expected a mapping with the YAML's keys, found nothing"),
        ("paid", "select 1", "features.paid: expected a mapping with the YAML's keys, found 'select 1'"),
        ("paid", ENDLESS, "features.paid: nested without end"),
        ("paid__twice", PAID, "__ in a view's name"),
        ("Spending", PAID, "differs from spending in the case of letters alone"),
        ("größe", PAID, "the name 'größe'"),
        (5, PAID, "a view's name must be text, found 5"),
    ],
)
def test_mistakes_are_told_in_the_loaders_words(own_project, name, definition, message):
    with pytest.raises(ConfigError) as told:
        own_project.define_view(name, definition)
    assert message in str(told.value)


def test_a_preview_computes_without_writing(project):
    rows = paid(project).preview(rows=2).collect()
    assert [(row["customer"], row["amount"], row["is_large"]) for row in rows] == [
        ("ann", None, None),
        ("cem", 55.0, True),
    ]
    known = paid(project).preview(as_of="2024-03-01T13:15").collect()
    assert [(row["customer"], row["amount"]) for row in known] == [("ann", 80.0), ("bob", 60.0), ("cem", None)]


def test_an_example_says_what_the_view_should_give(project):
    result = paid(project).test(
        events=[
            {"customer": "ann", "paid_at": "2024-03-01T12:00", "amount": 60},
            {"customer": "ann", "paid_at": at(30), "amount": 10.5},
        ],
        moments=[
            {"customer": "ann", "at": "2024-03-01T12:29:59"},
            {"customer": "ann", "at": at(30)},
            {"customer": "ann", "at": at(91)},  # past the time to live
            {"customer": None, "at": at(30)},
        ],
        expected=[
            {"amount": 60, "is_large": True},
            {"amount": 10.5, "is_large": False},
            {"amount": None},
            {"amount": None},
        ],
    )
    assert result.passed, str(result)
    assert result.values == 6


def test_what_is_not_as_expected_is_named(project):
    result = paid(project).test(
        events=[{"customer": "ann", "paid_at": at(0), "amount": 60}],
        moments=[{"customer": "ann", "at": at(1)}],
        expected=[{"amount": 61, "is_large": True}],
    )
    assert not result.passed
    assert str(result) == "paid: 1 of 2 values as expected\n  moments[0].amount: expected 61.0, found 60.0"


def test_an_example_may_give_the_tables_that_a_query_reads(project):
    draft = project.define_view(
        "by_town",
        {
            "entity": ["town"],
            "timestamp": "paid_at",
            "from": {"sql": "SELECT town, paid_at, amount FROM orders JOIN customers USING (customer)"},
            "aggregate": [{"of": "amount", "ops": ["sum", "count"], "windows": ["1h"]}],
        },
    )
    orders = [
        {"customer": "ann", "paid_at": at(0), "amount": 1.0},
        {"customer": "bob", "paid_at": at(5), "amount": 2.0},
    ]
    result = draft.test(
        events={"orders": orders, "customers": [{"customer": "ann", "town": "Köln"}]},
        moments=[{"town": "Köln", "at": at(10)}, {"town": "Ulm", "at": at(10)}],
        expected=[{"amount_sum_1h": 1.0, "amount_count_1h": 1}, {"amount_sum_1h": None, "amount_count_1h": 0}],
    )
    assert result.passed, str(result)
    empty = draft.test({}, [{"town": "Köln", "at": at(10)}], [{"amount_count_1h": 0}])
    assert empty.passed, str(empty)


EVENT, MOMENT = {"customer": "ann", "paid_at": at(0), "amount": 60}, {"customer": "ann", "at": at(1)}


@pytest.mark.parametrize(
    ("events", "moments", "expected", "message"),
    [
        ([{"custmer": "ann"}], [], [], "events[0]: no column 'custmer'. Did you mean customer?"),
        ([EVENT, EVENT | {"amount": "60"}], [], [], "events[1].amount: expected a value of type double, found '60'"),
        ([EVENT | {"amount": True}], [], [], "events[0].amount: expected a value of type double, found true"),
        ([EVENT | {"order_id": 2**63}], [], [], "events[0].order_id: expected a value of type bigint"),
        ([EVENT | {"paid_at": "noon"}], [], [], "events[0].paid_at: expected an ISO 8601"),
        ("text", [], [], "events: expected a list of rows"),
        ([5], [], [], "events[0]: expected a mapping of columns, found 5"),
        ({"ordrs": [EVENT]}, [], [], "events: 'ordrs' is no table of the relation, which reads orders"),
        ([EVENT], [MOMENT], [], "1 moments and 0 expected rows"),
        ([EVENT], [MOMENT], [{"amout": 1}], "expected[0]: no column 'amout'. Did you mean amount?"),
        ([EVENT], [{"customer": "ann"}], [{}], "moments[0]: no `at`"),
        ([EVENT], [MOMENT | {"town": 1}], [{}], "moments[0]: no column 'town'"),
        ([EVENT], [MOMENT | {"customer": 5}], [{}], "moments[0].customer: expected a value of type string, found 5"),
    ],
)
def test_a_wrong_example_is_told_by_its_row(project, events, moments, expected, message):
    with pytest.raises(ConfigError) as told:
        paid(project).test(events, moments, expected)
    assert message in str(told.value)


def test_a_check_counts_rows_nulls_duplicates_and_coverage(project):
    result = paid(project).check()
    assert (result.events, result.left_out, result.duplicates, result.rows, result.entities) == (8, 1, 0, 7, 3)
    assert result.nulls == {"amount": 1, "is_large": 1}
    assert (result.first_at, result.last_at) == (at(10), at(151))
    # ann's at 15, 30 and 75 and bob's none: his first payment came after his orders; ann's at 150 is 70 minutes after her last.
    c = result.coverage
    assert (c.moments, c.found, c.stale, c.unseen) == (8, 3, 1, 4)
    assert result.notes == ("only 37.5% of the moments find a row",)


def test_a_check_tells_what_is_kept_of_duplicates(project):
    twice = {"sql": "SELECT * FROM orders WHERE order_id < 3 UNION ALL SELECT * FROM orders WHERE order_id = 1"}
    result = paid(project, **{"from": twice}).check()
    assert (result.events, result.duplicates, result.rows) == (3, 1, 2)
    assert "1 events share entity and time with another one; of each, one is kept" in result.notes


def test_a_check_of_nothing_says_so(project):
    result = paid(project, where="amount < 0").check()
    assert (result.events, result.rows, result.first_at, result.coverage.unseen) == (0, 0, None, 8)
    assert result.notes[0].startswith("there is no row")


def test_a_view_of_another_entity_is_covered_by_moments_that_are_given(project):
    draft = project.define_view("towns", {"entity": ["town"], "from": "customers", "select": {"n": "length(town)"}})
    assert draft.check().coverage is None
    moments = project.spark.createDataFrame([("Bonn", at(0)), ("Ulm", at(0))], "town string, moment timestamp")
    c = draft.check(moments, timestamp="moment").coverage
    assert (c.found, c.unseen, c.share) == (1, 1, 0.5)


def test_moments_that_do_not_fit_are_told_before_anything_is_counted(project, monkeypatch):
    monkeypatch.setattr("sparkml_ops.notebook.check._count_events", lambda *_: pytest.fail("counted"))
    moments = project.spark.createDataFrame([(at(0),)], "moment timestamp")
    with pytest.raises(ConfigError, match="check, the moments: there is no column `customer`"):
        paid(project).check(moments, timestamp="moment")
    with pytest.raises(ConfigError, match="check: the moments have no column `ordered_at`"):
        paid(project).check(moments)


def test_the_documentation_tells_the_definition_in_words(project):
    text = paid(
        project, where="amount > 0 OR amount < 0", impute={"amount": {"with": "median", "flag": True}}
    ).document()
    assert text.startswith("# paid\n")
    for line in (
        "- Owner: ann@example.org",
        "- Entity: `customer`",
        "- From: `orders`, where `amount > 0 OR amount < 0`",
        "- Time: true at `paid_at`, known at once",
        "- Time to live: 1h",
        "- It is not among the features that shop learns from.",
        "| `amount` | `paid__amount` | = amount | null, filled with the median of the training rows, flagged in `amount__missing` |",
    ):
        assert line in text.splitlines(), text
    assert "ttl: 1h" in text
    pipes = paid(project, select={"a": "concat(customer, '|<b>')"}).document()
    assert "concat(customer, '\\|&lt;b>')" in pipes


def test_a_view_of_the_file_can_be_opened_and_changed(project):
    draft = project.open_view("spending")
    assert draft.definition["aggregate"] == [{"of": "amount", "ops": ["count", "sum"], "windows": ["1h", "1d"]}]
    other = draft.change(aggregate=[{"of": "amount", "ops": ["max"], "windows": ["2h"]}], description="the greatest")
    assert other.view.column_names() == ["amount_max_2h"]
    assert draft.change(from_="customers", timestamp=None, aggregate=None, select={"t": "town"}).view.timestamp is None
