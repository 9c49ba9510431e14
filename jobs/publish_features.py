"""The features for applications, under spark-submit, with the arguments of `sparkml-ops online publish`.

spark-submit --properties-file conf/spark-delta.conf jobs/publish_features.py flights
spark-submit --properties-file conf/spark-delta.conf jobs/publish_features.py --env cluster flights --json
"""

import sys

from sparkml_ops.cli import run_job

if __name__ == "__main__":
    run_job("online", ["publish", *sys.argv[1:]])
