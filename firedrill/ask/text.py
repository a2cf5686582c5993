"""Text of others made safe for a terminal, and numbers and times made readable."""

import math
import re
from datetime import datetime

from firedrill.errors import UsageError

_DURATION = re.compile(r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+")
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_STRANGE = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def clean(text: str) -> str:
    """`text` on one line without control characters (they can move the cursor, or hide text)."""
    return _STRANGE.sub(lambda found: " " if found[0] in "\t\n\r" else "", text)


def seconds_of(duration: str) -> float:
    """Seconds of a duration as Prometheus writes it (90s, 15m, 1h30m); raises UsageError on anything else."""
    if not _DURATION.fullmatch(duration):
        raise UsageError(f"{clean(duration)!r} is not a duration", "", "write it like 90s, 15m, 2h or 1d")
    return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(duration))


def number(value: float) -> str:
    """A value with four significant digits, and whole numbers as they are."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    if abs(value) >= 1e6 or abs(value) < 1e-4:
        return f"{value:.4g}"
    return f"{value:.{max(0, 3 - math.floor(math.log10(abs(value))))}f}".rstrip("0").rstrip(".")


def clock(unix_seconds: float, *, decimals: bool = False) -> str:
    """A time of day on this machine's clock."""
    at = datetime.fromtimestamp(unix_seconds).astimezone()
    return at.strftime("%H:%M:%S") + (f".{at.microsecond // 1000:03d}" if decimals else "")


def duration(nanoseconds: int) -> str:
    """A duration in the unit that suits it."""
    if nanoseconds < 1_000_000:
        return f"{nanoseconds / 1e3:.0f} us"
    if nanoseconds < 1_000_000_000:
        return f"{nanoseconds / 1e6:.1f} ms"
    return f"{nanoseconds / 1e9:.2f} s"


def sparkline(values: list[float]) -> str:
    """The course of the values in eight heights; a gap for NaN."""
    known = [value for value in values if math.isfinite(value)]
    if not known:
        return ""
    low, high = min(known), max(known)
    span = high - low
    return "".join(
        " " if not math.isfinite(value) else "▁▂▃▄▅▆▇█"[int((value - low) / span * 7.999) if span else 0]
        for value in values
    )
