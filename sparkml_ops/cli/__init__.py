"""The command line: one verb per stage. `main` is what the program and `python -m sparkml_ops` call, `run_job` what the jobs call."""

from sparkml_ops.cli.main import main, run_job

__all__ = ["main", "run_job"]
