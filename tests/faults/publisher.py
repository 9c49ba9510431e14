"""Scores, publishes, holds and rolls back batches of one shop, for ever: `python -m tests.faults.publisher ROOT`.

Each batch scores the same customers; what is done with it goes by its number, which a restart goes on with.
"""

import sys
from datetime import timedelta
from itertools import count
from pathlib import Path

from sparkml_ops.config.environment import Environment
from sparkml_ops.lake import Lake, open_session
from sparkml_ops.scoring.batches import hold_batch, roll_back_batch
from sparkml_ops.scoring.ledger import read_batches
from tests.scoring.ledger_shop import AT, make_shop, publish, score

CUSTOMERS = 20


def main(root: Path) -> None:
    environment = Environment.model_validate(
        {
            "name": "test",
            "lake": {"root": str(root / "lake")},
            "mlflow": {"tracking_uri": f"sqlite:///{root}/mlflow.db", "artifact_location": str(root / "artifacts")},
            "spark": {"conf": {"spark.master": "local[1]", "spark.driver.memory": "700m", "spark.sql.shuffle.partitions": 1}},
        }
    )  # fmt: skip
    lake, shop = Lake(open_session(environment), str(root / "lake" / "shop"), None, "shop", frozenset()), make_shop()
    tell("ready")
    for number in count(len(read_batches(lake))):
        name = f"held-{number}" if number % 3 == 1 else f"day-{number}"
        answers = {f"customer {at}": number / 1000 for at in range(CUSTOMERS)}
        batch = score(lake, 1, answers, batch=name, at=AT + timedelta(hours=number))
        tell("scored", name)
        if number % 3 == 1:
            hold_batch(shop, lake, name, reason="held")
            continue
        publish(lake, batch)
        tell("published", name)
        if number % 3 == 2:  # each third batch
            roll_back_batch(shop, lake, name, reason="taken back")
            tell("rolled_back", name)


def tell(*words: str) -> None:
    print("told", *words, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
