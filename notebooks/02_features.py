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

if "dbutils" in globals():
    dbutils.notebook.exit(training_set.version)
