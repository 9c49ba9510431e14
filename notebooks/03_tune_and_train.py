# Databricks notebook source
# MAGIC %md
# MAGIC # 3 · Tune, train, promote
# MAGIC Hyperopt spreads the trials over Spark; every trial is a nested MLflow run. The gates decide whether the winner may serve.

# COMMAND ----------

settings = {"use_case": "flights", "env": "local"}
if "dbutils" in globals():
    for name, default in settings.items():
        dbutils.widgets.text(name, default)
        settings[name] = dbutils.widgets.get(name)

# COMMAND ----------

from sparkml_ops.config.load import load_use_case
from sparkml_ops.lake import open_lake
from sparkml_ops.promotion import promote
from sparkml_ops.training import train

use_case = load_use_case(settings["use_case"], env=settings["env"])
lake = open_lake(use_case)

# COMMAND ----------

result = train(use_case, lake)
print(
    f"{result.model_name} version {result.model_version}, {result.trials} trials, best parameters {dict(result.params)}"
)
for model, figures in result.figures.items():
    print(
        f"{model:10} "
        + "  ".join(f"{name} {figure['value']:.4f}" for name, figure in figures.items() if figure["value"] is not None)
    )

# COMMAND ----------

decision = promote(use_case, lake)
print(decision.decision, "·", decision.reason)
for gate in decision.gates:
    print(f"{gate.gate:10} {gate.verdict:10} {gate.reason}")

# COMMAND ----------

if "dbutils" in globals():
    dbutils.notebook.exit(str(result.model_version))
