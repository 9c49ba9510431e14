"""The stage `monitor`, under spark-submit, with the arguments of `sparkml-ops monitor`.

spark-submit --properties-file conf/spark-delta.conf jobs/monitor.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/monitor.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("monitor", sys.argv[1:])
