# Databricks notebook source
# MAGIC %md
# MAGIC # 2 · Features
# MAGIC Declared views become tables. The lookup gives each decision what was known at its moment, and nothing later.

# COMMAND ----------

settings = {"use_case": "flights", "env": "local"}
if "dbutils" in globals():
    for name, default in settings.items():
        dbutils.widgets.text(name, default)
        settings[name] = dbutils.widgets.get(name)

# COMMAND ----------

from sparkml_ops.config.load import load_use_case
from sparkml_ops.features import build_features, create_training_set, look_up_features
from sparkml_ops.lake import open_lake, query_tables

use_case = load_use_case(settings["use_case"], env=settings["env"])
lake = open_lake(use_case)

# COMMAND ----------

built = build_features(use_case, lake)
for view, commit in built.views.items():
    print(f"{view:16} {commit.rows:>9} rows in {commit.table}@v{commit.version} ({commit.status})")

# COMMAND ----------

# MAGIC %md
# MAGIC The features of a few departures, as they were known when each was to leave.

# COMMAND ----------

moments, _ = query_tables(
    lake,
    f"SELECT {', '.join(use_case.dataset.entity)}, sched_dep_at FROM flights ORDER BY sched_dep_at DESC, flight_id LIMIT 5",
)
known, versions = look_up_features(moments, use_case, lake, timestamp="sched_dep_at")
known.select("flight_id", "sched_dep_at", "origin_weather__temp", "carrier_delays__dep_delay_mean_1d").show(
    truncate=False
)
print(versions)

# COMMAND ----------

training_set = create_training_set(use_case, lake)
print(training_set.version, training_set.rows, training_set.positives)

# COMMAND ----------

# MAGIC %md
# MAGIC ## A view of your own
# MAGIC A draft is computed and written nowhere. It is valid as soon as it is defined: mistakes are told as `sparkml-ops validate` tells them.

# COMMAND ----------

import sparkml_ops

project = sparkml_ops.open_project(settings["use_case"], env=settings["env"], spark=lake.spark)
draft = project.define_view(
    "departures_before",
    {
        "description": "How busy the airport was: departures of the last hour, told a quarter of an hour later",
        "entity": ["origin"],
        "timestamp": "dep_at",
        "available_after": "15m",
        "from": "flights",
        "aggregate": [{"of": "flight", "name": "flights", "ops": ["count"], "windows": ["1h"]}],
    },
)
draft.preview(rows=3).show(truncate=False)

# COMMAND ----------

# MAGIC %md
# MAGIC An example: these events, so at these moments these values. Then all decisions: does the view have an answer for them?

# COMMAND ----------

tried = draft.test(
    events=[
        {"origin": "JFK", "dep_at": "2013-01-01T10:00", "flight": 1},
        {"origin": "JFK", "dep_at": "2013-01-01T10:20", "flight": 2},
    ],
    moments=[
        {"origin": "JFK", "at": "2013-01-01T10:30"},
        {"origin": "JFK", "at": "2013-01-01T10:40"},
        {"origin": "LGA", "at": "2013-01-01T10:40"},
    ],
    expected=[{"flights_count_1h": 1}, {"flights_count_1h": 2}, {"flights_count_1h": 0}],
)
print(tried)
assert tried.passed
print(draft.check())
project.lookup(moments, ["carrier_delays", draft]).select("flight_id", "departures_before__flights_count_1h").show()

# COMMAND ----------

print(draft.document())

# COMMAND ----------

# MAGIC %md
# MAGIC `project.save_view(draft)` writes it into `conf/flights.yml`; every other line of the file stays as it is. `sparkml-ops features` then builds it,
# MAGIC and a model learns from it once it stands in `dataset.features`.

# COMMAND ----------

if "dbutils" in globals():
    dbutils.notebook.exit(training_set.version)
