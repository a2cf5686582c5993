"""Prometheus durations (`1h30m`, `1s500ms`) as whole milliseconds, and back."""

import re

_UNITS = {
    "y": 31_536_000_000,
    "w": 604_800_000,
    "d": 86_400_000,
    "h": 3_600_000,
    "m": 60_000,
    "s": 1_000,
    "ms": 1,
}
_WRITTEN = ("d", "h", "m", "s", "ms")  # weeks and years are read, and written as days
DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+)s)?(?:(\d+)ms)?")


def parse_duration(text: str) -> int:
    """Milliseconds of a Prometheus duration; `0` needs no unit. Raises ValueError on anything else."""
    if text == "0":
        return 0
    found = DURATION.fullmatch(text)
    if not text or not found:
        raise ValueError(f"{text!r} is not a Prometheus duration such as 5m, 1h30m or 1s500ms")
    return sum(
        int(count) * size for count, size in zip(found.groups(), _UNITS.values(), strict=True) if count
    )


def format_duration(milliseconds: int) -> str:
    """The shortest text that Prometheus and Alertmanager read as `milliseconds`; 1500 is `1s500ms`."""
    if milliseconds < 0:
        raise ValueError(f"a duration cannot be negative: {milliseconds} ms")
    parts = []
    for unit in _WRITTEN:
        count, milliseconds = divmod(milliseconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def seconds(text: str) -> float:
    """Seconds of a Prometheus duration."""
    return parse_duration(text) / 1000
