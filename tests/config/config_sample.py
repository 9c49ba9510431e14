"""A small sound project to break: base, overlay and use case as text."""

from collections.abc import Callable, Mapping

BreakSample = Callable[[Mapping[str, str]], list[str]]

BASE = """\
lake: {root: data/lake}
mlflow: {tracking_uri: sqlite:///data/mlflow.db, artifact_location: data/mlartifacts}
variables:
  landing: data/landing
reports: data/reports
"""

LOCAL = """\
name: local
"""

USE_CASE = """\
name: shop
description: Will the order be returned?
owner: ops@example.org

sources:
  orders:
    path: ${landing}/orders/*.csv
    format: csv
    mode: incremental
    key: [order_id]
    columns:
      order_id: {type: string}
      customer_id: {type: string}
      amount: {type: double, between: [0, 10000]}
      channel: {type: string, in: [web, shop]}
      ordered_on: {type: timestamp}
      returned: {type: int, in: [0, 1]}
      note: {type: string, nullable: true}
    derive:
      is_large: amount > 100
    expect: ["amount >= 0 or returned = 1"]
  customers:
    path: ${landing}/customers/*.csv
    format: csv
    mode: snapshot
    key: [customer_id]
    columns:
      customer_id: {type: string}
      joined_on: {type: timestamp}
      age: {type: int}

features:
  customer:
    entity: [customer_id]
    timestamp: joined_on
    from: customers
    select: {age: age, is_adult: "age >= 18"}
    ttl: 900d
    impute: {age: {with: median, flag: true}}
  customer_orders:
    entity: [customer_id]
    timestamp: ordered_on
    available_after: 1h
    from: orders
    aggregate:
      - {of: amount, ops: [mean, count], windows: [7d, 30d]}

dataset:
  from: orders
  entity: [order_id, customer_id, channel]
  key: [order_id]
  timestamp: ordered_on
  label: "returned = 1"
  label_matures_after: 14d
  features: [customer, customer_orders]
  derived:
    weekday: "dayofweek(ordered_on)"
  split: {by: time, train_until: 2024-03-01, valid_until: 2024-04-01}

model:
  task: binary
  estimator: lightgbm
  search: {max_trials: 4, parallelism: 1, space: {learning_rate: {loguniform: [1e-2, 0.3]}}}
  metric: roc_auc

gates:
  slices: {by: [channel, weekday]}
  kpi: {sql: "avg(case when prediction > 0.5 then label end)", at_least: 0.1}

scoring:
  from: "select * from orders where ordered_on >= '2024-05-01'"
  as_of: ordered_on
  roles: {champion: publish, challenger: shadow}

monitoring: {drift: {psi_over: 0.2}, freshness: 2d}
"""
