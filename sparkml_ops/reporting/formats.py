"""Values as people read them."""

import math
from datetime import UTC, datetime

NONE = "\N{EN DASH}"
_WHOLE_FROM = 100  # from here on three digits are a whole number
_SCIENTIFIC_BELOW = 1e-4
_MINUTE, _HOUR, _KILO = 60, 3600, 1000


def format_count(value: int | None) -> str:
    """`336,776`."""
    return NONE if value is None else f"{value:,}"


def format_figure(value: float | None) -> str:
    """Three significant digits: `0.781`, `12.3`, `4,560`."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == 0:
        return "0"
    if abs(value) < _SCIENTIFIC_BELOW:
        return f"{value:.1e}"
    return f"{value:,.0f}" if abs(value) >= _WHOLE_FROM - 0.05 else f"{value:#.3g}"


def format_interval(value: float | None, lower: float | None, upper: float | None) -> str:
    """`0.781 [0.775, 0.787]`; without the brackets where there is no interval."""
    if value is None or lower is None or upper is None:
        return format_figure(value)
    return f"{format_figure(value)} [{format_figure(lower)}, {format_figure(upper)}]"


def format_share(value: float | None) -> str:
    """`23.4%`; what is there but rounds to nothing is `<0.1%`."""
    if value is None or value == 0:
        return NONE if value is None else "0%"
    return "<0.1%" if 0 < value < 0.001 else f"{value:.1%}"  # noqa: PLR2004  # the smallest that one digit shows


def format_instant(value: datetime | None) -> str:
    """`2013-12-01 06:00 UTC`."""
    return NONE if value is None else f"{value.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def format_seconds(value: float | None) -> str:
    """`0.8 s`, `48 s`, `1 min 19 s`, `2 h 5 min`."""
    if value is None:
        return NONE
    if value < 10:  # noqa: PLR2004  # below ten seconds a tenth says something
        return f"{value:.1f} s"
    whole = round(value)
    if whole < _MINUTE:
        return f"{whole} s"
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE} s"
    return f"{whole // _HOUR} h {whole % _HOUR // _MINUTE} min"


def format_bytes(size: int) -> str:
    """`980 B`, `1.4 MB`: units of a thousand."""
    amount, units = float(size), ["B", "kB", "MB", "GB", "TB"]
    while amount >= _KILO and len(units) > 1:
        amount, units = amount / _KILO, units[1:]
    return f"{size} B" if size < _KILO else f"{amount:.1f} {units[0]}"


def format_age(seconds: float | None) -> str:
    """A span of time in its largest unit: `3 d`, `5 h`, `20 min`."""
    if seconds is None:
        return NONE
    units = (("d", 24 * _HOUR), ("h", _HOUR), ("min", _MINUTE), ("s", 1))
    unit, size = next((pair for pair in units if seconds >= pair[1]), units[-1])
    return f"{seconds / size:.0f} {unit}"


def format_number_of(count: int, noun: str) -> str:
    """`1 row`, `12 rows`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def shorten(text: str, most: int) -> str:
    """The text, or its beginning and an ellipsis."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
