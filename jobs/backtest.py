"""The verb `backtest`, under spark-submit, with the arguments of `sparkml-ops backtest`.

spark-submit --properties-file conf/spark-delta.conf jobs/backtest.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/backtest.py --env cluster flights@champion --windows 8 --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("backtest", sys.argv[1:])
