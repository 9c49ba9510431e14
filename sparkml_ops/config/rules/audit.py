"""What an audit is to accept, held against the features that there are."""

from collections.abc import Iterator

from sparkml_ops.config.mistakes import Finding, list_names, nearest_name, show_value
from sparkml_ops.config.parts import Parts


def check_audit(parts: Parts) -> Iterator[Finding]:
    """Only features that a model learns from have findings that could be accepted."""
    looked_up = parts.feature_columns()
    if parts.audit is None or parts.dataset is None or looked_up is None:
        return
    left_out = parts.dataset.leave_out
    known = [name for name in (*looked_up, *parts.dataset.derived) if name not in left_out]
    for name in parts.audit.accept:
        if name not in known:
            found = f"{show_value(name)} is no feature of the dataset"
            yield Finding(("audit", "accept", name), found, list_names(known), nearest_name(name, known))
