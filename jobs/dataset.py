"""The stage `dataset`, under spark-submit, with the arguments of `sparkml-ops dataset`.

spark-submit --properties-file conf/spark-delta.conf jobs/dataset.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/dataset.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("dataset", sys.argv[1:])
