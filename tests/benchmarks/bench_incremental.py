"""One new file among ten thousand old ones, against one new file among ten.

Run as `python -m tests.benchmarks.bench_incremental [--rows N] [--repeat K]`; rows are the old files of the larger folder.
"""

from itertools import count
from pathlib import Path

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.sources import Source
from sparkml_ops.config.use_case import UseCase
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import Lake, read_table
from tests.benchmarks.compare import Goal, open_bench, print_result, ratio_of, read_arguments, time_in_turn

FEW = 10
ROWS_OF_A_FILE = 20


def land(folder: Path, number: int) -> None:
    """One file, whose rows are of no other."""
    folder.mkdir(parents=True, exist_ok=True)
    first = number * ROWS_OF_A_FILE
    rows = (f"{key},{key * 0.5},item {key}" for key in range(first, first + ROWS_OF_A_FILE))
    (folder / f"{number:06}.csv").write_text("\n".join(["id,amount,name", *rows]) + "\n")


def describe(folder: Path, environment: Environment) -> UseCase:
    """The use case with its one source."""
    items = Source.model_validate(
        {
            "path": str(folder),
            "format": "csv",
            "key": ["id"],
            "columns": {"id": {"type": "long"}, "amount": {"type": "double"}, "name": {"type": "string"}},
        }
    )
    return UseCase.model_construct(name="bench", sources={"items": items}, environment=environment)


def main() -> None:
    """Time both, and look that every row is there."""
    arguments = read_arguments("bench_incremental", rows=10_000, repeat=5)
    with open_bench("incremental", memory="4g") as (spark, environment, root):
        sides = {"ours": arguments.rows, "among_ten": FEW}
        lakes = {side: Lake(spark, str(root / "lake" / side), None, side, frozenset({"items"})) for side in sides}
        numbers = {}
        for side, old in sides.items():
            for number in range(old):
                land(root / side, number)
            ingest(describe(root / side, environment), lakes[side])
            numbers[side] = count(old)

        def take_in(side: str) -> None:
            land(root / side, next(numbers[side]))
            assert ingest(describe(root / side, environment), lakes[side]).sources[0].rows_clean == ROWS_OF_A_FILE

        seconds = time_in_turn({side: lambda side=side: take_in(side) for side in sides}, repeat=arguments.repeat)
        rows = {side: read_table(lakes[side], "clean_items").selectExpr("count(distinct id)").first() for side in sides}
        is_equal = all((rows[side] or [0])[0] == next(numbers[side]) * ROWS_OF_A_FILE for side in sides)
        ratio = ratio_of(seconds, "ours", "among_ten")
        goal = Goal("one new file among many, by one among ten", round(ratio, 3), 1.5, is_limit=True)
        print_result("incremental", arguments.rows, seconds, equal=is_equal, goals=[goal])


if __name__ == "__main__":
    main()
