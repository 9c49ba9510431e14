"""How an entity is named on the command line, whatever is in its values."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F
from pyspark.sql import types as T

from sparkml_ops.dossier.keys import match_key, read_key, suggest_column
from sparkml_ops.errors import ConfigError

TYPES = {
    "name": T.StringType(), "day": T.DateType(), "number": T.IntegerType(), "price": T.DecimalType(10, 2), "at": T.TimestampType(),
    "wall": T.TimestampNTZType(), "ratio": T.DoubleType(), "is_new": T.BooleanType(), "tags": T.ArrayType(T.StringType()),
}  # fmt: skip
ENTITY = [T.StructField(name, kind) for name, kind in TYPES.items()]
KEY = ["name", "day"]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["a, b", "2024-02-29"], {"name": "a, b", "day": date(2024, 2, 29)}),
        (["name=", "day=NULL"], {"name": "", "day": None}),
        (["name=x=y='z'"], {"name": "x=y='z'"}),
        (["nam=x", "2024-02-29"], {"name": "nam=x", "day": date(2024, 2, 29)}),
        (["number=-007"], {"number": -7}),
        (["price=1.50", "ratio=1e-3"], {"price": Decimal("1.50"), "ratio": 0.001}),
        (["at=2024-02-29T12:00+01:00"], {"at": datetime(2024, 2, 29, 11, tzinfo=UTC)}),
        (["wall=2024-02-29"], {"wall": datetime(2024, 2, 29)}),
        (["is_new=True"], {"is_new": True}),
        ({"name": None, "number": 3}, {"name": None, "number": 3}),
        ({"day": date(2024, 2, 29), "at": datetime(2024, 2, 29)}, {"day": date(2024, 2, 29), "at": datetime(2024, 2, 29, tzinfo=UTC)}),
    ],
    ids=str,
)  # fmt: skip
def test_values_are_read_in_the_types_of_their_columns(given: Any, read: dict[str, Any]) -> None:
    assert read_key(given, ENTITY, key=KEY) == read


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["a"], "KEY: 1 value given; expected 2, in this order: NAME DAY; or pairs: name=VALUE day=VALUE."),
        ([], "KEY: 0 values given; expected 2"),
        ({}, "KEY: nothing was given; expected 2"),
        (["name=a", "b"], "KEY: 'b' names no entity column, and other values do."),
        (["name=a", "name=b"], "KEY: name is given twice"),
        ({"nmae": "a"}, "KEY: 'nmae' is no entity column. Did you mean name?"),
        (["number=1.0"], "KEY: number is int; expected a whole number that fits it, or NULL; found '1.0'."),
        (["number=2147483648"], "a whole number that fits it"),
        (["number=٣"], "a whole number that fits it"),
        (["number=1_000"], "a whole number that fits it"),
        ({"number": True}, "a whole number that fits it"),
        (["day=2024-02-30"], "KEY: day is date; expected a date such as 2013-02-01"),
        (["price=nan"], "KEY: price is decimal(10,2); expected a number such as 12.50"),
        (["price=" + "9" * 60], "expected a number such as 12.50"),
        (["price=1e999999"], "expected a number such as 12.50"),
        (["ratio=wide"], "KEY: ratio is double; expected a number such as 12.5"),
        (["at=noon"], "KEY: at is timestamp; expected a time such as"),
        (["is_new=1"], "KEY: is_new is boolean; expected true or false"),
        (["name=\udcff"], "KEY: name is string; expected text"),
        (["tags=a"], "KEY: tags is array<string>, which cannot be asked for; leave it out."),
    ],
    ids=ascii,
)
def test_what_is_no_value_of_its_column_is_told(given: Any, message: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_key(given, ENTITY, key=KEY)
    assert message in str(raised.value)


def test_a_misspelt_column_is_suspected_where_nothing_was_found() -> None:
    assert suggest_column(["nmae=a", "b"], ["name", "day"]) == " 'nmae=a' was taken as a value; did you mean name=…?"
    assert suggest_column(["1=1", "x"], ["name", "day"]) == ""
    assert suggest_column({"name": "nmae=a"}, ["name"]) == ""


def test_only_equal_values_match(spark: SparkSession) -> None:
    rows = spark.createDataFrame(
        [
            ("NULL", date(2024, 1, 1), 7, Decimal("1.50"), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 1), 0.1, True, None),
            (None, None, None, None, None, None, None, None, None),
            ("null", date(2024, 1, 2), 8, Decimal("1.51"), datetime(2024, 1, 2, tzinfo=UTC), datetime(2024, 1, 2), 0.2, False, None),
        ],
        T.StructType(ENTITY),
    ).select("*", F.monotonically_increasing_id().alias("line"))  # fmt: skip
    asked = {
        ("name=NULL",): 2, ("name=null",): 1, ("day=NULL",): 1, ("number=7",): 1, ("price=1.5",): 1, ("price=1.505",): 0,
        ("at=2024-01-01",): 1, ("wall=2024-01-01T00:00",): 1, ("ratio=0.1",): 1, ("is_new=false",): 1, ("name=null", "number=7"): 0,
    }  # fmt: skip
    counts = [
        F.count_if(match_key(read_key(list(given), ENTITY, key=KEY), ENTITY)).alias(str(at))
        for at, given in enumerate(asked)
    ]
    found = rows.agg(*counts).first()
    assert dict(zip(asked, found, strict=True)) == asked
