"""Results on stdout, for people or as one JSON document; messages and logs on stderr."""

import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

SCHEMA_VERSION = 1
_MARKS = {"succeeded": "done", "skipped": "skip", "refused": "NO  "}


class _UtcFormatter(logging.Formatter):
    """One plain line per event, ISO 8601 in UTC."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802
        del datefmt
        return datetime.fromtimestamp(record.created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def set_up_logging(*, verbose: int, quiet: bool) -> None:
    """Send our logs to stderr; those of libraries from WARNING on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_UtcFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    ours = logging.WARNING if quiet else logging.DEBUG if verbose else logging.INFO
    logging.getLogger("sparkml_ops").setLevel(ours)
    logging.getLogger("py4j").setLevel(logging.ERROR)


def print_result(result: Any, *, as_json: bool, lines: Callable[[], Sequence[str]], exit_code: int = 0) -> int:
    """Print a result and give back the exit code."""
    if as_json:
        document = {
            "schema_version": SCHEMA_VERSION,
            "exit_code": exit_code,
            "reason": None,
            "result": to_plain(result),
        }
        print(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in lines():
            print(line)
    return exit_code


def print_failure(message: str, exit_code: int, *, as_json: bool) -> None:
    """Print what went wrong: on stderr, and with `--json` as a document of the same keys on stdout."""
    if as_json:
        document = {"schema_version": SCHEMA_VERSION, "exit_code": exit_code, "reason": message, "result": None}
        print(json.dumps(document, indent=2, ensure_ascii=False))
    print(f"{_paint('error', '31')}: {message}", file=sys.stderr)


def to_plain(value: Any) -> Any:
    """Turn a result into what JSON knows."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): to_plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_plain(part) for part in value]
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).astimezone(UTC).isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def format_table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lay rows out in columns; numbers to the right."""
    texts = [[format_value(value) for value in row] for row in rows]
    widths = [max([len(name), *(len(row[i]) for row in texts)]) for i, name in enumerate(columns)]
    is_number = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    head = "  ".join(name.ljust(width) for name, width in zip(columns, widths, strict=True))
    body = [
        "  ".join(
            text.rjust(width) if number else text.ljust(width)
            for text, width, number in zip(row, widths, is_number, strict=True)
        )
        for row in texts
    ]
    return [line.rstrip() for line in [head, "  ".join("-" * width for width in widths), *body]]


def format_value(value: Any) -> str:
    """One value for people."""
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.4f}" if abs(value) < 1000 else f"{value:,.0f}"  # noqa: PLR2004  # four digits say enough
    if isinstance(value, datetime):
        return (value if value.tzinfo else value.astimezone()).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, list | tuple | dict):
        return json.dumps(to_plain(value), ensure_ascii=False)
    return str(value)


def mark(status: str) -> str:
    """A step's status as one word of fixed width, coloured on a terminal."""
    return _paint(_MARKS.get(status, status), {"succeeded": "32", "refused": "33"}.get(status, "2"))


def _paint(text: str, colour: str) -> str:
    is_plain = "NO_COLOR" in os.environ or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty()
    return text if is_plain else f"\x1b[{colour}m{text}\x1b[0m"
