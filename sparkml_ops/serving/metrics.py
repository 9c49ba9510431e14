"""Figures of a model server in Prometheus' text format: counted by hand, because they are few."""

import threading
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sparkml_ops.serving.champion import Champion

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper ends in seconds, those that Prometheus' own clients take."""
_PREFIX = "sparkml_ops_"


class Metrics:
    """Counts; threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: Counter[tuple[str, int]] = Counter()
        self._rows: Counter[str] = Counter({"predicted": 0, "refused": 0})
        self._reloads: Counter[str] = Counter({"loaded": 0, "failed": 0})
        self._buckets: Counter[float] = Counter()
        self._seconds = 0.0

    def count_request(self, path: str, status: int, *, seconds: float) -> None:
        """A request was answered."""
        with self._lock:
            self._requests[path, status] += 1
            if path == "/predict":
                self._seconds += seconds
                self._buckets[next((end for end in BUCKETS if seconds <= end), float("inf"))] += 1

    def count_rows(self, *, predicted: int, refused: int) -> None:
        """Rows of a request were answered."""
        with self._lock:
            self._rows.update(predicted=predicted, refused=refused)

    def count_reload(self, outcome: str) -> None:
        """A version was `loaded`, or loading one `failed`."""
        with self._lock:
            self._reloads[outcome] += 1

    def write(self, champion: "Champion | None", *, is_troubled: bool) -> str:
        """All figures.

        Args:
            champion: the version that answers now.
            is_troubled: whether the last look at the registry failed.
        """
        with self._lock:
            lines = [
                *_family("requests_total", "counter", "Requests by path and HTTP status.", self._label_requests()),
                *_family("rows_total", "counter", "Rows by outcome.", _label("outcome", self._rows)),
                *_family("reloads_total", "counter", "Versions loaded, or not.", _label("outcome", self._reloads)),
                *self._write_seconds(),
            ]
        name, version = ("", "") if champion is None else (champion.version.name, str(champion.version.version))
        info = {f'{{model_name="{name}",model_version="{version}"}}': 1.0} if champion else {}
        since = {} if champion is None else {"": champion.since.timestamp()}
        lines += _family("model_info", "gauge", "The version that answers.", info)
        lines += _family("model_since_seconds", "gauge", "When it was loaded, seconds since 1970.", since)
        lines += _family("ready", "gauge", "Whether a champion is loaded.", {"": float(champion is not None)})
        lines += _family(
            "registry_trouble", "gauge", "Whether the last look at the registry failed.", {"": float(is_troubled)}
        )
        return "\n".join(lines) + "\n"

    def _label_requests(self) -> dict[str, float]:
        return {f'{{path="{path}",status="{code}"}}': n for (path, code), n in sorted(self._requests.items())}

    def _write_seconds(self) -> list[str]:
        name, count = f"{_PREFIX}predict_seconds", 0
        lines = [f"# HELP {name} Seconds that a request to /predict took.", f"# TYPE {name} histogram"]
        for end in (*BUCKETS, float("inf")):
            count += self._buckets[end]
            lines.append(f'{name}_bucket{{le="{"+Inf" if end == float("inf") else end}"}} {count}')
        return [*lines, f"{name}_sum {self._seconds!r}", f"{name}_count {count}"]


def _family(name: str, kind: str, meaning: str, values: Mapping[str, float]) -> list[str]:
    head = [f"# HELP {_PREFIX}{name} {meaning}", f"# TYPE {_PREFIX}{name} {kind}"]
    return head + [f"{_PREFIX}{name}{labels} {value!r}" for labels, value in values.items()]


def _label(name: str, counts: Mapping[str, int]) -> dict[str, float]:
    return {f'{{{name}="{value}"}}': count for value, count in sorted(counts.items())}
