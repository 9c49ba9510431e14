"""The made-up shop of a new use case: customers, and orders of which some come back."""

import math
import random
from datetime import datetime, timedelta

_FIRST_DAY = datetime(2025, 1, 1)  # noqa: DTZ001  # written without a zone; the contract reads it as UTC
_DAYS, _ORDERS, _CUSTOMERS = 120, 3000, 240
_UNKNOWN_AGES = 0.06
_CATEGORIES = {"books": -1.3, "electronics": -0.4, "garden": -0.7, "clothing": 0.9, "shoes": 1.3}
"""How much each category adds to the log-odds of a return."""
_CHANNELS = ("app", "shop", "web")
_REGIONS = ("east", "north", "south", "west")
_USUAL_PRICES = {"books": 20, "electronics": 250, "garden": 60, "clothing": 70, "shoes": 90}


def make_shop(seed: int) -> dict[str, str]:
    """Make the landing files of the shop.

    A return grows likelier with the category, the discount, a price above the category's usual one, and a habit of the
    customer that no file tells: only what they returned before shows it.

    Args:
        seed: the same seed makes the same text.

    Returns:
        CSV text by path below the use case's landing folder; the orders in one file a month.
    """
    dice = random.Random(seed)  # noqa: S311  # made-up data, no secret
    habits = [dice.gauss(0, 1.3) for _ in range(_CUSTOMERS)]
    files: dict[str, list[str]] = {"customers/customers.csv": ["customer_id,joined_at,age,region"]}
    files["customers/customers.csv"] += [_customer(dice, number) for number in range(_CUSTOMERS)]
    moments = sorted(dice.random() * _DAYS for _ in range(_ORDERS))
    for number, days in enumerate(moments):
        at = _FIRST_DAY + timedelta(seconds=int(days * 86400))
        header = "order_id,customer_id,ordered_at,category,channel,price,discount,returned"
        month = files.setdefault(f"orders/orders-{at:%Y-%m}.csv", [header])
        month.append(f"o{number:06d},{_order(dice, habits, at)}")
    return {path: "\n".join(lines) + "\n" for path, lines in files.items()}


def _customer(dice: random.Random, number: int) -> str:
    joined = _FIRST_DAY - timedelta(seconds=dice.randrange(86400, 900 * 86400))
    age = "NA" if dice.random() < _UNKNOWN_AGES else str(dice.randrange(18, 80))
    return f"c{number:04d},{joined},{age},{dice.choice(_REGIONS)}"


def _order(dice: random.Random, habits: list[float], at: datetime) -> str:
    # The square makes few customers buy often, so that some have a history to learn from.
    customer = int(len(habits) * dice.random() ** 2)
    category = dice.choice(list(_CATEGORIES))
    costliness = dice.gauss(0, 0.4)
    price = _USUAL_PRICES[category] * math.exp(costliness)
    discount = dice.choice((0, 0, 0, 0.1, 0.2, 0.4))
    odds = math.exp(-1.2 + _CATEGORIES[category] + habits[customer] + 2 * discount + costliness)
    returned = int(dice.random() < odds / (1 + odds))
    return f"c{customer:04d},{at},{category},{dice.choice(_CHANNELS)},{price:.2f},{discount},{returned}"
