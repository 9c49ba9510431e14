"""How missing values are filled, held against the columns that there are."""

from collections.abc import Iterator, Mapping, Sequence

from sparkml_ops.config.features import Impute
from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.places import KeyPath


def check_imputes(
    path: KeyPath, imputes: Mapping[str, Impute], columns: Sequence[str], *, title: str
) -> Iterator[Finding]:
    """Only columns that are there are filled, and each in a way that says something."""
    for name, impute in imputes.items():
        where = (*path, name)
        if name not in columns:
            found = f"no column {show_value(name)} {title}"
            yield Finding(where, found, list_names(columns), nearest_name(name, columns))
        if impute.method == "none" and not impute.flag:
            yield Finding(
                where, "with: none, and no flag: nothing would be done", "flag: true, or a value to fill with"
            )
        if impute.method == "constant" and impute.value is None:
            yield Finding((*where, "value"), "missing, while with is constant", "the constant")
        if impute.method != "constant" and impute.value is not None:
            yield Finding((*where, "value"), f"a value, while with is {impute.method}", "with: constant")
