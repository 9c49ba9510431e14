"""The stage `promote`, under spark-submit, with the arguments of `sparkml-ops promote`.

spark-submit --properties-file conf/spark-delta.conf jobs/promote.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/promote.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("promote", sys.argv[1:])
