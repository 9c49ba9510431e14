"""Which queries are made row by row of a table: read from the text."""

import pytest

from sparkml_ops.config.load import load_use_case
from sparkml_ops.config.sql_rows import find_obstacle


def find(sql):
    return find_obstacle(sql, lambda name: name in {"t", "clean_t"})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT a, b + 1 AS c FROM t WHERE d > 2 ORDER BY a",
        "SELECT * FROM t LEFT JOIN other USING (k)",
        "SELECT * FROM other JOIN t ON other.k = t.k LEFT JOIN third ON third.k = t.k",
        "SELECT * FROM other RIGHT JOIN t USING (k)",
        "SELECT * FROM t LEFT SEMI JOIN other ON t.k = other.k",
        "SELECT * FROM other, t",
        "SELECT a FROM t UNION ALL SELECT a FROM other",
        "WITH x AS (SELECT * FROM clean_t), y AS (SELECT * FROM x) SELECT * FROM y",
        "SELECT *, (SELECT max(v) FROM other) AS top FROM (SELECT * FROM t) AS u",
        "SELECT * FROM t WHERE k IN (SELECT k FROM other GROUP BY k)",
        "SELECT a, e FROM t LATERAL VIEW explode(b) AS e",
    ],
)
def test_rows_are_made_of_single_rows(sql):
    assert find(sql) is None


@pytest.mark.parametrize(
    ("sql", "reason"),
    [
        ("SELECT k, count(*) FROM t GROUP BY k", "the query has GROUP"),
        ("SELECT sum(a) FROM t", "the query aggregates"),
        ("SELECT a, row_number() OVER (ORDER BY a) AS n FROM t", "has windows"),
        ("SELECT DISTINCT a FROM t", "DISTINCT"),
        ("SELECT a FROM t LIMIT 5", "LIMIT"),
        ("SELECT * FROM t TABLESAMPLE (10 PERCENT)", "sampled"),
        ("SELECT * FROM t AS a JOIN t AS b ON a.k = b.k", "reads it 2 times"),
        ("SELECT * FROM t JOIN clean_t USING (k)", "reads it 2 times"),
        ("SELECT * FROM other LEFT JOIN t USING (k)", "behind a LEFT JOIN"),
        ("SELECT * FROM other FULL OUTER JOIN t USING (k)", "behind a FULL OUTER JOIN"),
        ("SELECT * FROM other LEFT ANTI JOIN t ON other.k = t.k", "behind a LEFT ANTI JOIN"),
        ("SELECT * FROM t RIGHT JOIN other USING (k)", "before a RIGHT JOIN"),
        ("SELECT * FROM t FULL JOIN other USING (k)", "before a FULL JOIN"),
        ("SELECT a FROM t UNION SELECT a FROM other", "UNION that looks for equal rows"),
        ("SELECT a FROM other EXCEPT SELECT a FROM t", "within EXCEPT"),
        ("SELECT * FROM other WHERE k IN (SELECT k FROM t)", "within IN"),
        ("SELECT * FROM other WHERE EXISTS (SELECT 1 FROM t WHERE t.k = other.k)", "within EXISTS"),
        ("WITH x AS (SELECT * FROM t) SELECT * FROM x AS a JOIN x AS b ON a.k = b.k", "reads it 2 times"),
        ("SELECT * FROM (SELECT k, max(v) AS v FROM t GROUP BY k)", "the query has GROUP"),
    ],
)
def test_rows_that_depend_on_others(sql, reason):
    assert reason in find(sql)


def test_arrivals_of_the_flights_are_made_flight_by_flight():
    arrivals = load_use_case("flights").features["carrier_delays"].relation.sql
    assert find_obstacle(arrivals, lambda name: name == "flights") is None
    assert "behind a LEFT JOIN" in find_obstacle(arrivals, lambda name: name == "airports")
