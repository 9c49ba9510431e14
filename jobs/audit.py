"""The stage `audit`, under spark-submit, with the arguments of `sparkml-ops audit`.

spark-submit --properties-file conf/spark-delta.conf jobs/audit.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/audit.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("audit", sys.argv[1:])
