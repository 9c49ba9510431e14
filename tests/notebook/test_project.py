"""A use case in a notebook: training sets, look-ups and previews, by the names of the YAML."""

from datetime import UTC

import pytest
from notebook_shop import at

import sparkml_ops
from sparkml_ops.errors import ConfigError, TableNotFoundError
from sparkml_ops.features import list_training_sets, look_up_features
from sparkml_ops.lake import list_tables


def test_a_training_set_by_its_name_or_the_newest(project):
    (made,) = list_training_sets(project.lake)
    newest, named = project.get_training_set(), project.get_training_set(made.version[:5])
    assert newest.columns == ["order_id", "customer", "ordered_at", "split", "label", *made.feature_columns]
    assert newest.count() == named.count() == sum(made.rows.values())
    with pytest.raises(TableNotFoundError, match="has no training set '2013'"):
        project.get_training_set("2013")


@pytest.fixture
def moments(project):
    return project.spark.createDataFrame(
        [("ann", at(25), "x"), ("bob", at(25), "y"), (None, at(25), "z")],
        "customer string, moment timestamp, own string",
    )


def test_features_of_named_views_beside_the_rows_own_columns(project, moments):
    known = project.lookup(moments, ["spending", "profile"], timestamp="moment")
    views = project.use_case.features
    assert known.columns == ["customer", "moment", "own"] + [
        f"{view}__{column}" for view in ("spending", "profile") for column in views[view].column_names()
    ]
    found = {row["own"]: (row["spending__amount_sum_1h"], row["profile__town"]) for row in known.collect()}
    assert found == {"x": (100.0, "Bonn"), "y": (None, None), "z": (None, None)}


def test_without_views_a_lookup_is_what_training_and_scoring_see(project):
    orders = project.spark.createDataFrame([(9, "ann", at(25))], "order_id long, customer string, ordered_at timestamp")
    theirs, _ = look_up_features(orders, project.use_case, project.lake, timestamp="ordered_at")
    ours = project.lookup(orders)
    assert ours.columns == theirs.columns
    assert ours.collect() == theirs.collect()
    assert ours.first()["hour"] == 12.0


def test_a_restatement_sees_what_was_known_at_one_instant(project, moments):
    known = project.lookup(moments, "spending", timestamp="moment", as_known_at=at(15))
    assert {row["own"]: row["spending__amount_sum_1h"] for row in known.collect()}["x"] == 20.0
    orders = project.spark.createDataFrame([(9, "ann", at(25))], "order_id long, customer string, ordered_at timestamp")
    assert project.lookup(orders, as_known_at=at(15)).first()["spending__amount_sum_1h"] == 20.0


def test_moments_of_a_session_in_another_zone_are_the_same_instants(project, moments):
    elsewhere = project.spark.newSession()
    elsewhere.conf.set("spark.sql.session.timeZone", "America/New_York")
    theirs = elsewhere.sql("SELECT 'ann' AS customer, TIMESTAMP '2024-03-01 07:25:00' AS moment, 'x' AS own")
    known = project.lookup(theirs, ["spending"], timestamp="moment")
    assert known.first()["spending__amount_sum_1h"] == 100.0
    assert known.first()["moment"].astimezone(UTC) == at(25)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda p, m: p.lookup(m, ["spendin"], timestamp="moment"), "no feature view 'spendin'. Did you mean spending?"),
        (lambda p, m: p.lookup(m, ["profile"]), "the moments have no column 'ordered_at'. Name the one with the time"),
        (lambda p, m: p.lookup(m, ["profile", "profile"], timestamp="moment"), "profile is asked for twice"),
        (lambda p, m: p.lookup(m.toPandas(), ["profile"]), "expected a Spark DataFrame of moments, found pandas.DataFrame"),
        (lambda p, m: p.lookup(m.drop("customer"), ["profile"], timestamp="moment"), "there is no column `customer`"),
        (lambda p, m: p.lookup(m, ["profile"], timestamp="moment", as_known_at="noon"), "as_known_at: expected an ISO 8601"),
        (lambda p, m: p.lookup(m.selectExpr("*", "own AS OWN"), ["profile"]), "the moments have two columns 'own'"),
        (lambda p, m: p.lookup(m, 5, timestamp="moment"), "no feature view 5. There are: spending, profile"),
        (lambda p, m: p.lookup(m, ["profile"], timestamp=""), "the moments have no column ''"),
        (lambda p, m: p.get_training_set(5), "expected a version's name, such as 'latest', found 5"),
        (lambda p, m: p.preview("profile", rows=0), "rows=0; expected a whole number from 1 up"),
        (lambda p, m: p.preview("profile", rows=2**31), "rows=2147483648; expected a whole number from 1 up to 2,147,483,647"),
        (lambda p, m: p.preview("profile", as_of="0001-01-01T00:00+05:00"), "a time within the years 1 to 9999"),
        (lambda p, m: p.preview("profile", as_of=5), "as_of: expected an ISO 8601"),
        (lambda p, m: p.preview(None), "no feature view nothing. There are: spending, profile"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_what_to_do(project, moments, ask, message):
    with pytest.raises(ConfigError) as told:
        ask(project, moments)
    assert message in str(told.value)


def test_a_preview_shows_the_newest_rows(project):
    rows = project.preview("spending", rows=3)
    assert rows.columns[:3] == ["customer", "timestamp", "_known_at"]
    times = [row["timestamp"] for row in rows.collect()]
    assert times == sorted(times, reverse=True)
    assert len(times) == 3


def test_a_preview_as_of_an_instant_shows_each_entity_as_a_lookup_sees_it(project):
    rows = project.preview("spending", as_of="2024-03-01T12:25").collect()
    assert [(row["customer"], row["amount_count_1h"], row["amount_sum_1h"]) for row in rows] == [
        ("ann", 2, 100.0),
        ("bob", 0, None),
        ("cem", 0, None),
    ]
    assert {row["as_of"].astimezone(UTC) for row in rows} == {at(25)}


def test_a_view_that_is_not_built_says_how_to_build_it(own_project):
    own_project.save_view(
        own_project.define_view("more", {"entity": ["customer"], "from": "customers", "select": {"t": "town"}})
    )
    with pytest.raises(TableNotFoundError, match="features_more"):
        own_project.preview("more")


def test_opening_tells_mistakes_as_validate_does(tmp_path, own_project):
    file = tmp_path / "conf" / "shop.yml"
    file.write_text(file.read_text().replace("timestamp: paid_at", "timestmp: paid_at"))
    with pytest.raises(
        ConfigError, match=r"shop.yml:\d+: features.spending.timestmp: unknown key.*did you mean 'timestamp'\?"
    ):
        sparkml_ops.open_project(file)


def test_looking_writes_nothing(project, moments):
    before = {
        table: project.lake.spark.read.format("delta").load(f"{project.lake.root}/{table}").count()
        for table in list_tables(project.lake)
    }
    draft = project.define_view("more", {"entity": ["customer"], "from": "customers", "select": {"t": "town"}})
    draft.preview().collect()
    draft.check()
    assert project.lookup(moments, [draft], timestamp="moment").first()["more__t"] == "Bonn"
    after = {
        table: project.lake.spark.read.format("delta").load(f"{project.lake.root}/{table}").count()
        for table in list_tables(project.lake)
    }
    assert before == after
    assert "more" not in project.use_case.features


def test_instants_of_pandas_are_instants(project):
    import pandas as pd

    assert project.preview("spending", as_of=pd.Timestamp("2024-03-01T12:25")).first()["amount_count_1h"] == 2
    with pytest.raises(ConfigError, match="as_of: expected an ISO 8601"):
        project.preview("spending", as_of=pd.NaT)


def test_the_session_is_the_one_that_was_given(project, spark):
    assert project.spark is spark
    assert repr(project) == "<shop (local): feature views spending, profile>"
