"""A shop as a project of files: customers, the orders they place and pay."""

from datetime import UTC, datetime, timedelta

NOON = datetime(2024, 3, 1, 12, tzinfo=UTC)
SHOP = """\
name: shop   # the same as the file

sources:
  orders:
    path: /nowhere/*.csv
    format: csv
    key: [order_id]
    columns:
      order_id: {type: long}
      customer: {type: string, nullable: true}
      ordered_at: {type: timestamp}
      paid_at: {type: timestamp, nullable: true}
      amount: {type: double, nullable: true}
  customers:
    path: /nowhere/*.csv
    format: csv
    key: [customer]
    columns: {customer: {type: string}, town: {type: string, nullable: true}}

features:
  spending:
    # a payment counts from when it came in
    entity: [customer]
    timestamp: paid_at
    from: orders
    aggregate:
      - {of: amount, ops: [count, sum], windows: [1h, 1d]}

  profile:
    entity: [customer]
    from: customers
    select: {town: town}

dataset:
  from: orders
  entity: [order_id, customer]
  key: [order_id]
  timestamp: ordered_at
  label: amount > 50
  features: [spending, profile]
  derived: {hour: hour(ordered_at)}
  split: {by: time, train_until: 2024-03-01T13:00, valid_until: 2024-03-01T14:00}

model: {task: binary}
scoring: {from: orders, as_of: ordered_at}
"""
ORDERS = [
    (1, "ann", 0, 10, 20.0), (2, "ann", 15, 20, 80.0), (3, "bob", 20, 70, 60.0), (4, "ann", 30, None, 10.0),
    (5, "bob", 61, 65, 90.0), (6, "ann", 75, 80, 30.0), (7, "cem", 125, 130, 55.0), (8, "ann", 150, 151, None),
]  # fmt: skip


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)
