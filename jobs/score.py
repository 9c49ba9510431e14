"""The stage `score`, under spark-submit, with the arguments of `sparkml-ops score`.

spark-submit --properties-file conf/spark-delta.conf jobs/score.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/score.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("score", sys.argv[1:])
