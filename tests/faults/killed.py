"""Runs the command line and kills itself, JVM and all, at a named point: `python -m tests.faults.killed POINT -- arguments…`.

A point is `before` or `after` a function of the package, and, where it writes a table, that table:
`after sparkml_ops.lake.writes.commit_once clean_flights`. `during` kills as soon as a data file of that table is on disk.
"""

import importlib
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from sparkml_ops.cli import main


def die() -> None:
    os.killpg(os.getpgid(0), signal.SIGKILL)


def die_when_files_lie_in(folder: Path) -> None:
    while not list(folder.rglob("*.parquet")):
        time.sleep(0.002)
    die()


def arm(when: str, path: str, table: str | None) -> None:
    module_name, name = path.rsplit(".", 1)
    importlib.import_module(module_name)
    module = sys.modules[module_name]
    original = getattr(module, name)

    def armed(*arguments: Any, **options: Any) -> Any:
        if table is not None and not str(arguments[1]).startswith(table):
            return original(*arguments, **options)
        if when == "before":
            die()
        if when == "during":
            folder = Path(arguments[0].root) / str(arguments[1])
            threading.Thread(target=die_when_files_lie_in, args=(folder,), daemon=True).start()
        result = original(*arguments, **options)
        die()
        return result

    setattr(module, name, armed)


if __name__ == "__main__":
    split = sys.argv.index("--")
    when, path, *table = sys.argv[1:split]
    arm(when, path, table[0] if table else None)
    main(sys.argv[split + 1 :])
