"""The stage `maintain`, under spark-submit, with the arguments of `sparkml-ops maintain`.

spark-submit --properties-file conf/spark-delta.conf jobs/maintain.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/maintain.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("maintain", sys.argv[1:])
