"""Every step that has something to do, in order, under spark-submit, with the arguments of `sparkml-ops run`.

spark-submit --properties-file conf/spark-delta.conf jobs/run.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/run.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("run", sys.argv[1:])
