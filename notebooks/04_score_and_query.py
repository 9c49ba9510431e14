# Databricks notebook source
# MAGIC %md
# MAGIC # 4 · Score and query
# MAGIC Keys and moments go in, published predictions come out. `predictions_current` is what consumers read.

# COMMAND ----------

settings = {"use_case": "flights", "env": "local"}
if "dbutils" in globals():
    for name, default in settings.items():
        dbutils.widgets.text(name, default)
        settings[name] = dbutils.widgets.get(name)

# COMMAND ----------

from sparkml_ops.config.load import load_use_case
from sparkml_ops.lake import open_lake, query_tables
from sparkml_ops.monitoring import monitor
from sparkml_ops.scoring import score

use_case = load_use_case(settings["use_case"], env=settings["env"])
lake = open_lake(use_case)

# COMMAND ----------

scored = score(use_case, lake)
for batch in scored.batches:
    print(
        f"{batch.batch_id} {batch.role} v{batch.model_version}: {batch.status}, {batch.rows} rows, {batch.positives} positives"
    )

# COMMAND ----------

query_tables(
    lake,
    "SELECT flight_id, as_of, prediction, predicted_class, model_version, batch_id FROM predictions_current ORDER BY prediction DESC LIMIT 5",
)[0].show(truncate=False)

# COMMAND ----------

watched = monitor(use_case, lake)
for figure in watched.figures:
    if figure.scope == "performance" and figure.value is not None:
        print(f"{figure.name:15} {figure.value:.4f} {figure.verdict}")
print(f"{len(watched.alerts)} alerts")

# COMMAND ----------

if "dbutils" in globals():
    dbutils.notebook.exit(scored.run_id)
