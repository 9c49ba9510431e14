"""The stage `train`, under spark-submit, with the arguments of `sparkml-ops train`.

spark-submit --properties-file conf/spark-delta.conf jobs/train.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/train.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("train", sys.argv[1:])
