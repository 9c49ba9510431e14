"""YAML -> frozen typed objects. Knows no Spark, Delta or MLflow."""
