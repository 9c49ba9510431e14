"""A table taken back to an earlier version, in one commit that copies no row."""

from dataclasses import replace

from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException

from sparkml_ops.errors import TableNotFoundError
from sparkml_ops.lake.causes import list_causes
from sparkml_ops.lake.commits import Commit, Marks, WriteName, commit_once
from sparkml_ops.lake.location import Lake, sql_name
from sparkml_ops.lake.session import sibling_session

_GONE = ("ignoreMissingFiles", "MISSING_FILES", "VersionNotFound", "no longer exist", "CANNOT_RESTORE")
"""How Delta says that a version, or files of it, are gone."""


def restore_table(lake: Lake, table: str, version: int, *, write_id: str) -> Commit:
    """Make an earlier version the newest; what was written since then is not in effect any more, and stays in the history.

    It is not looked for before: who restores knows by `commits_in_effect` whether it was done.

    Args:
        lake: where the table is.
        table: its name.
        version: the version that comes back.
        write_id: names the write in the history.

    Raises:
        TableNotFoundError: the version, or a file of it, is gone.
        ConflictError: another writer does not let go.
    """

    def write(marks: Marks) -> None:
        session = sibling_session(lake.spark)  # as for a merge, the note is taken from the session alone
        session.conf.set("spark.databricks.delta.commitInfo.userMetadata", marks.note)
        try:
            session.sql(
                f"RESTORE TABLE {sql_name(replace(lake, spark=session), table)} TO VERSION AS OF {int(version)}"
            )
        except (Py4JJavaError, PySparkException) as error:
            raise _translate(error, lake, table, version) from error

    return commit_once(lake, table, write, name=WriteName(write_id, "", replaces="slice"))


def _translate(error: Exception, lake: Lake, table: str, version: int) -> Exception:
    told = " ".join([str(error), *(str(cause.getMessage()) for cause in list_causes(error))])
    if not any(sign in told for sign in _GONE):
        return error
    return TableNotFoundError(
        f"{table} of {lake.use_case} cannot go back to v{version}: that version, or a file of it, was removed (VACUUM). Nothing was "
        "changed. `maintenance` in the YAML says how much is kept."
    )
