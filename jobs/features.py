"""The stage `features`, under spark-submit, with the arguments of `sparkml-ops features`.

spark-submit --properties-file conf/spark-delta.conf jobs/features.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/features.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("features", sys.argv[1:])
