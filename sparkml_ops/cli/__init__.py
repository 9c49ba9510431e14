"""The command line: one verb per stage. `main` is what the program, the jobs and `python -m sparkml_ops` call."""

from sparkml_ops.cli.main import main

__all__ = ["main"]
