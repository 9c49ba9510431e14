"""Published predictions to a database or a folder, under spark-submit, with the arguments of `sparkml-ops export`.

spark-submit --properties-file conf/spark-delta.conf jobs/export.py flights warehouse
spark-submit --properties-file conf/spark-delta.conf jobs/export.py --env cluster flights files --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("export", sys.argv[1:])
