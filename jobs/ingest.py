"""The stage `ingest`, under spark-submit, with the arguments of `sparkml-ops ingest`.

spark-submit --properties-file conf/spark-delta.conf jobs/ingest.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/ingest.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("ingest", sys.argv[1:])
