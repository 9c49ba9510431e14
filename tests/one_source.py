"""A use case of one source, for tests that look at nothing behind ingestion; the other parts are there because a use case has them."""

from typing import Any

from sparkml_ops.config.environment import Environment
from sparkml_ops.config.use_case import UseCase


def describe_shop(
    environment: Environment, *, orders: dict[str, Any], moment: str = "day", others: dict[str, Any] | None = None
) -> UseCase:
    """The use case `shop` with the source `orders`.

    Args:
        environment: where it runs.
        orders: the source, as YAML would have it; with a column `id`.
        moment: its column that stands for time.
        others: more sources by name.
    """
    return UseCase.model_validate(
        {
            "name": "shop",
            "sources": {"orders": orders, **(others or {})},
            "features": {"f": {"entity": ["id"], "from": "orders", "select": {"first": "id"}}},
            "dataset": {
                "from": "orders",
                "entity": ["id"],
                "timestamp": moment,
                "label": "true",
                "features": ["f"],
                "split": {"by": "hash", "of": ["id"]},
            },
            "model": {"task": "binary"},
            "scoring": {"from": "orders", "as_of": moment},
            "environment": environment,
        }
    )
