"""The only room that knows Delta: the session, reads at a version, writes that are exactly once, the run ledger."""

from sparkml_ops.lake.commits import Commit
from sparkml_ops.lake.differences import Difference, find_difference
from sparkml_ops.lake.history import WrittenBy, commits_in_effect, find_change, rows_changed
from sparkml_ops.lake.location import Lake, open_lake, quote_identifier, resolve_table_name
from sparkml_ops.lake.merges import DELETE, PATCH, UPSERT, MergeRules
from sparkml_ops.lake.metrics import METRICS, Metric, record_metrics
from sparkml_ops.lake.plain_files import (
    RowGroup,
    bound_row_groups,
    has_plain_files,
    list_paths,
    list_row_groups,
    read_row_groups,
)
from sparkml_ops.lake.relations import query_tables, relate_frames, resolve_relation
from sparkml_ops.lake.restore import restore_table
from sparkml_ops.lake.rewrites import Places, find_replaced
from sparkml_ops.lake.runs import (
    StepRecord,
    StepRun,
    code_version,
    find_inputs,
    last_successes,
    new_run_id,
    read_notes,
    record_step,
)
from sparkml_ops.lake.session import open_session
from sparkml_ops.lake.staging import stage_files, stage_folder, stage_rows
from sparkml_ops.lake.tables import (
    change_version,
    change_versions,
    create_table,
    list_tables,
    read_history,
    read_table,
    table_exists,
    table_id,
    table_version,
)
from sparkml_ops.lake.versions import find_newest_write, find_write, version_before, version_beside
from sparkml_ops.lake.writes import (
    ROW_GROUP_BYTES,
    append_files,
    append_once,
    append_rows,
    grouping_rows,
    merge_rows,
    put_rows,
    replace_slice,
    replace_table,
    replace_where,
)

__all__ = [
    "DELETE",
    "METRICS",
    "PATCH",
    "ROW_GROUP_BYTES",
    "UPSERT",
    "Commit",
    "Difference",
    "Lake",
    "MergeRules",
    "Metric",
    "Places",
    "RowGroup",
    "StepRecord",
    "StepRun",
    "WrittenBy",
    "append_files",
    "append_once",
    "append_rows",
    "bound_row_groups",
    "change_version",
    "change_versions",
    "code_version",
    "commits_in_effect",
    "create_table",
    "find_change",
    "find_difference",
    "find_inputs",
    "find_newest_write",
    "find_replaced",
    "find_write",
    "grouping_rows",
    "has_plain_files",
    "last_successes",
    "list_paths",
    "list_row_groups",
    "list_tables",
    "merge_rows",
    "new_run_id",
    "open_lake",
    "open_session",
    "put_rows",
    "query_tables",
    "quote_identifier",
    "read_history",
    "read_notes",
    "read_row_groups",
    "read_table",
    "record_metrics",
    "record_step",
    "relate_frames",
    "replace_slice",
    "replace_table",
    "replace_where",
    "resolve_relation",
    "resolve_table_name",
    "restore_table",
    "rows_changed",
    "stage_files",
    "stage_folder",
    "stage_rows",
    "table_exists",
    "table_id",
    "table_version",
    "version_before",
    "version_beside",
]
