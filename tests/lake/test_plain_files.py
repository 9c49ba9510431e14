"""Files that tasks read by themselves hold what Spark reads of them, wherever the lake is."""

from dataclasses import replace

from pyspark.sql.pandas.types import to_arrow_schema

from sparkml_ops.lake import (
    bound_row_groups,
    has_plain_files,
    list_paths,
    list_row_groups,
    read_row_groups,
    read_table,
    replace_table,
)


def test_a_folder_of_any_name_and_values_of_any_shape(lake, tmp_path):
    root = tmp_path / "la ke%41#x?y é"
    root.mkdir()
    lake = replace(lake, root=str(root))
    rows = lake.spark.sql(
        "SELECT map('a', 1) AS m, array(1, 2) AS l, struct(1 AS x, 'z' AS y) AS s, timestamp'2024-01-01' AS t, 7 AS n"
    )
    replace_table(lake, "odd", rows, write_id="odd")
    table = read_table(lake, "odd")
    [group] = bound_row_groups(list_paths(table), "n")
    [batch] = read_row_groups([group], to_arrow_schema(table.schema, timezone="UTC"))
    assert (group.rows, group.least, group.greatest) == (1, 7, 7)
    assert bound_row_groups(list_paths(table), "none") is None
    assert [(one.path, one.rows) for one in list_row_groups(list_paths(table))] == [(group.path, 1)]
    assert has_plain_files(lake, "odd")
    assert batch.to_pylist() == table.toArrow().to_pylist()
