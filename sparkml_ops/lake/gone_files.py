"""Whether the files of a version are still there: its log may know a version whose files were vacuumed long since."""

from pathlib import Path
from urllib.parse import unquote

from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake.location import Lake, local_root
from sparkml_ops.lake.plain_files import list_paths
from sparkml_ops.lake.tables import read_table


def require_files(lake: Lake, table: str, *, version: int) -> None:
    """Look for the files of a version, where they would be on this machine; elsewhere the read itself has to tell.

    Raises:
        TableNotFoundError: the table or that version of it is not there, or files of it are gone.
    """
    rows = read_table(lake, table, version=version)
    if local_root(lake) is None or lake.database is not None:
        return
    paths = list_paths(rows)
    gone = [path for path in paths if not Path(path).exists() and not Path(unquote(path)).exists()]
    if gone:
        raise TableNotFoundError(
            f"{len(gone)} of the {len(paths)} files of {table}@v{version} are gone (vacuumed, or taken away), such as {Path(gone[0]).name}"
        )
