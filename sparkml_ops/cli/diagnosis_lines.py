"""The diagnosis of a training, in lines."""

from collections.abc import Mapping, Sequence
from typing import Any

_SIGNS = {"attention": "!", "info": "-"}


def describe_findings(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """Two lines for each finding, what was found and what to try; none where nothing was."""
    if not findings:
        return []
    lines = [
        line
        for one in findings
        for line in (f"  {_SIGNS[one['severity']]} {one['sentence']}", f"      to try: {one['advice']}")
    ]
    return ["diagnosis (! wants attention):", *lines]
