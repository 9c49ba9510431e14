"""Show what the flights use case has made: predictions by SQL, the champion against the baselines, where things are.

python jobs/show_flights.py [--env local]
"""

import argparse

from sparkml_ops.cli.output import format_table
from sparkml_ops.config.load import load_use_case
from sparkml_ops.lake import open_lake, query_tables

QUESTIONS = {
    "A few rows of predictions_current": """
        SELECT carrier, origin, dest, as_of, round(prediction, 4) AS prediction, predicted_class, model_version
        FROM predictions_current ORDER BY as_of, flight_id LIMIT 5""",
    "The champion against the baselines, on months it never saw": """
        SELECT subject AS model, name AS metric, value, lower, upper FROM metrics
        WHERE scope = 'evaluation' AND name IN ('roc_auc', 'pr_auc', 'log_loss')
          AND model_version = (SELECT max_by(to_version, decided_at) FROM promotions WHERE decision <> 'refused')
        ORDER BY metric DESC, value DESC""",
    "The published batch, once its labels were known": """
        SELECT name AS metric, value, lower, upper, threshold, verdict FROM metrics
        WHERE scope = 'performance' ORDER BY recorded_at DESC, name LIMIT 6""",
}


def main() -> None:
    """Print the answers."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--env")
    use_case = load_use_case("flights", env=parser.parse_args().env)
    lake = open_lake(use_case)
    for title, query in QUESTIONS.items():
        rows, _ = query_tables(lake, query)
        print(f"\n{title}\n", *format_table(rows.columns, [list(row) for row in rows.collect()]), sep="\n")
    print(f"\ntables    {lake.root}\nmodels    {use_case.environment.mlflow.tracking_uri}")
    print(f"summary   {use_case.environment.reports}/{use_case.name}/summary.html")


if __name__ == "__main__":
    main()
