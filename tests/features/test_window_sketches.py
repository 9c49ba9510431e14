"""Sketches: how far from exact they are, and that it does not matter how rows come."""

import numpy as np
import pytest
from shop import view_of

from sparkml_ops.errors import ConfigError
from sparkml_ops.features.compute import compute_features
from sparkml_ops.features.window_sketches import estimate_distinct
from sparkml_ops.features.window_values import find_spans

ROWS = 120_000
SEED = 11


SKETCHED = view_of(
    accuracy="snapshot",
    aggregate=[
        {"of": "visitor", "ops": ["count_distinct", "approx_count_distinct"], "windows": ["1d", "7d"]},
        {
            "of": "amount",
            "ops": ["p10", "approx_p10", "p50", "approx_p50", "p99", "approx_p99"],
            "windows": ["1d", "7d"],
        },
    ],
)


def draw_events(spark, count):
    """Events of ten days and three customers, one of whom has most of them."""
    return spark.range(0, count, 1, 2).selectExpr(
        f"'c' || least(pmod(xxhash64(id, {SEED}), 10), 2) AS customer",
        f"timestamp'2023-12-28' + make_dt_interval(0, 0, 0, pmod(xxhash64(id, {SEED + 1}), 864000)) AS at",
        f"pmod(xxhash64(id, {SEED + 2}), 60000) AS visitor",
        # from a hundredth to a million, of either sign
        f"pow(10D, pmod(xxhash64(id, {SEED + 3}), 8000) / 1000D - 2) * if(pmod(id, 5) = 0, -1, 1) AS amount",
    )


def compute(events):
    table = compute_features(events, SKETCHED, name="purse").toPandas()
    return table.sort_values(["customer", "timestamp"], ignore_index=True)


@pytest.fixture(scope="module")
def compared(spark):
    """Sketches beside exact figures."""
    return compute(draw_events(spark, ROWS))


def test_figures_are_the_same_bits_however_rows_are_partitioned(spark):
    events = draw_events(spark, 2_000)
    assert compute(events).equals(compute(events.repartition(3, "amount")))


def test_different_values_are_counted_within_the_stated_error(compared):
    for window in ("1d", "7d"):
        exact, found = (compared[f"visitor_{op}_{window}"] for op in ("count_distinct", "approx_count_distinct"))
        some = exact > 0
        error = (found / exact - 1)[some]
        assert exact.max() > (8_000 if window == "1d" else 30_000)
        assert error.abs().max() < 0.05
        assert np.sqrt((error**2).mean()) < 0.016 * 1.5  # of a few figures that share their values
        assert (found[~some] == 0).all()


def test_percentiles_are_within_the_stated_error(compared):
    for name in ("p10", "p50", "p99"):
        for window in ("1d", "7d"):
            exact, found = compared[f"amount_{name}_{window}"], compared[f"amount_approx_{name}_{window}"]
            assert (exact.isna() == found.isna()).all()
            assert (found / exact - 1).abs().max() <= 0.01
    assert (compared["amount_p10_1d"] < 0).any()


@pytest.mark.parametrize("values", [0, 1, 2, 50, 3_000, 12_000, 20_000, 100_000])
def test_the_estimate_is_unbiased_from_few_values_to_many(values):
    errors = []
    for seed in range(20):
        draw = np.random.default_rng(seed)
        registers, ranks = draw.integers(0, 4096, values), draw.geometric(0.5, values)
        spans = find_spans(np.array([0]), np.array([values]), values)
        found = estimate_distinct(registers, ranks, spans)[0]
        errors.append(found - values)
    deviation = max(0.0163 * values, 1e-9)
    assert abs(np.mean(errors)) <= 4 * deviation / np.sqrt(20) + 0.5
    assert np.abs(errors).max() <= 5 * deviation + 0.5


def test_infinite_and_huge_values_stand_for_themselves(rows):
    schema = "customer string, at timestamp, amount double"
    amounts = [float("inf"), float("-inf"), 0.0, 1.7e308, -5e-324, None, float("nan")]
    events = rows(schema, [(f"c{number}", 0, amount) for number, amount in enumerate(amounts)])
    view = view_of(
        accuracy="snapshot",
        aggregate=[{"of": "amount", "ops": ["approx_p50", "approx_count_distinct"], "windows": ["1d"]}],
    )
    found = compute_features(events, view, name="purse").where("amount_approx_count_distinct_1d > 0")
    medians = {row[0]: row["amount_approx_p50_1d"] for row in found.collect()}
    assert medians.keys() == {"c0", "c1", "c2", "c3", "c4"}
    assert [medians[f"c{number}"] for number in range(3)] == amounts[:3]
    assert medians["c3"] == pytest.approx(1.7e308, rel=0.01)
    assert medians["c4"] == pytest.approx(0, abs=1e-300)


def test_a_percentile_of_texts_is_refused_as_an_exact_one_is(rows):
    view = view_of(
        accuracy="snapshot",
        aggregate=[{"of": "customer", "ops": ["approx_p50", "approx_count_distinct"], "windows": ["1d"]}],
    )
    with pytest.raises(ConfigError, match="`customer` is string; approx_p50 need a number"):
        compute_features(rows("customer string, at timestamp", []), view, name="purse")


def test_sketches_keep_to_where_and_by_and_to_what_was_known(rows):
    schema = "customer string, at timestamp, amount double, channel string"
    visits = [(0, 1.0, "web"), (1, 1.0, "web"), (2, 2.0, "web"), (3, 7.0, "shop"), (4, -5.0, "web"), (5, 9.0, None)]
    events = rows(schema, [("ann", *visit) for visit in [*visits, (700, 3.0, "web")]])
    view = view_of(
        accuracy="snapshot",
        available_after="1h",
        aggregate=[
            {
                "of": "amount",
                "ops": ["approx_count_distinct", "count", "approx_p50"],
                "windows": ["2d"],
                "where": "amount > 0",
                "by": {"channel": ["web", "shop"]},
            }
        ],
    )
    found = compute_features(events, view, name="purse").orderBy("timestamp").collect()
    assert [tuple(row[3:7]) for row in found] == [
        (2, 1, 3, 1),
        (3, 1, 4, 1),  # the visit of 23:40 was known after midnight, and leaves with the others of its day
        (0, 0, 0, 0),
    ]
    assert [row[7] for row in found] == [pytest.approx(1.0, rel=0.01), pytest.approx(1.5, rel=0.02), None]
