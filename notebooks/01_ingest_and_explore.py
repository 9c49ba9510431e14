# Databricks notebook source
# MAGIC %md
# MAGIC # 1 · Ingest and explore
# MAGIC Raw files become typed Delta tables under a contract. What does not keep the contract goes to quarantine, with its reasons.

# COMMAND ----------

# Widgets where there are widgets, plain defaults where not.
settings = {"use_case": "flights", "env": "local"}
if "dbutils" in globals():
    for name, default in settings.items():
        dbutils.widgets.text(name, default)
        settings[name] = dbutils.widgets.get(name)

# COMMAND ----------

from sparkml_ops.config.load import load_use_case
from sparkml_ops.ingestion import ingest
from sparkml_ops.lake import open_lake, query_tables

use_case = load_use_case(settings["use_case"], env=settings["env"])
lake = open_lake(use_case)

# COMMAND ----------

result = ingest(use_case, lake)
for source in result.sources:
    print(
        f"{source.source:10} {source.status:10} {source.rows_in:>8} in = {source.rows_clean} clean + {source.rows_quarantined} quarantined"
    )

# COMMAND ----------

# MAGIC %md
# MAGIC Tables go by their plain names; every query tells which versions it read.

# COMMAND ----------

late, versions = query_tables(
    lake,
    """
    SELECT origin, count(*) AS departures, round(avg(CAST(dep_delay > 30 AS INT)), 3) AS share_late
    FROM flights WHERE dep_delay IS NOT NULL GROUP BY origin ORDER BY origin
    """,
)
late.show()
print(versions)

# COMMAND ----------

# MAGIC %md
# MAGIC The schedule is New York wall time, and `time_hour` is UTC: on 10 March the offset changes from five hours to four.

# COMMAND ----------

query_tables(
    lake,
    """
    SELECT date(time_hour) AS day, min(hour(time_hour) - hour) AS hours_to_utc
    FROM flights WHERE month = 3 AND day BETWEEN 8 AND 12 AND hour = 12 GROUP BY 1 ORDER BY 1
    """,
)[0].show()

# COMMAND ----------

if "dbutils" in globals():
    dbutils.notebook.exit(result.run_id)
