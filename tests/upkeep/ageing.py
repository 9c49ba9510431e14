"""A lake as it would be some days later: real files and a real log, all of them older."""

import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

from sparkml_ops.lake import Lake

_INSTANTS = re.compile(r'"(deletionTimestamp|modificationTime|timestamp)":(\d{13})')


def age_lake(lake: Lake, folder: Path, *, days: int) -> Lake:
    """Copy a lake, and take days from every instant that Delta judges by: those of files, of commits and of removals."""
    root = folder / Path(lake.root).name
    shutil.copytree(lake.root, root)
    past = days * 86_400
    for file in root.rglob("*"):
        if file.is_file() and file.suffix != ".crc":
            if file.suffix == ".json":  # whose checksum is beside it
                file.with_name(f".{file.name}.crc").unlink(missing_ok=True)
                file.write_text(_INSTANTS.sub(lambda m: f'"{m[1]}":{int(m[2]) - past * 1000}', file.read_text()))
            os.utime(file, (time.time() - past,) * 2)
    return replace(lake, root=str(root))
