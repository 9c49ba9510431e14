"""What more columns and more views cost the look-up: 100 columns against 5, ten views in one look-up against one."""

from dataclasses import replace
from pathlib import Path

from pyspark.sql import functions as F

from sparkml_ops.features import ViewRows, join_point_in_time
from sparkml_ops.lake import Lake, read_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn
from tests.benchmarks.lookup_data import make_tables, open_view

VIEWS = 10


def look_up(lake: Lake, views: list[ViewRows]) -> None:
    joined = join_point_in_time(read_table(lake, "spine"), views, timestamp="at")
    joined.write.format("noop").mode("overwrite").save()


def count_found(lake: Lake, views: list[ViewRows]) -> list[int]:
    joined = join_point_in_time(read_table(lake, "spine"), views, timestamp="at")
    return list(joined.agg(*(F.count(f"{view.name}__{view.columns[-1]}") for view in views)).collect()[0])


def main() -> None:
    arguments = read_arguments("bench_lookup_shapes", rows=1_000_000)
    with open_bench("lookup_shapes", memory="6g") as (spark, _, root):
        narrow, wide = (Lake(spark, str(Path(root) / "lake" / name), None, "bench") for name in ("narrow", "wide"))
        make_tables(narrow, rows=arguments.rows, columns=5, busy=False)
        make_tables(wide, rows=arguments.rows, columns=100, busy=False)
        one = [open_view(narrow)]
        ten = [replace(one[0], name=f"v{number}") for number in range(VIEWS)]
        seconds = time_in_turn(
            {
                "ours": lambda: look_up(narrow, one),
                "100 columns": lambda: look_up(wide, [open_view(wide)]),
                "ten views": lambda: look_up(narrow, ten),
            },
            repeat=arguments.repeat,
        )
        found = count_found(narrow, ten)
        goals = [
            Goal("seconds of 100 columns by those of 5", ratio_of(seconds, "100 columns", "ours"), 3.0, is_limit=True),
            Goal("seconds of ten views by those of one", ratio_of(seconds, "ten views", "ours"), 5.0, is_limit=True),
        ]
        equal = len({*found, *count_found(narrow, one), *count_found(wide, [open_view(wide)])}) == 1
        print_result("lookup_shapes", arguments.rows, seconds, equal=equal, goals=goals)


if __name__ == "__main__":
    main()
