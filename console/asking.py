"""What stands in the address of a page, read so that nothing in it can be wrong."""

import re

from firedrill.ask.text import seconds_of
from firedrill.errors import UsageError


def duration_of(text: str, default: str) -> str:
    """A duration like 15m, or the default."""
    try:
        seconds_of(text)
    except UsageError:
        return default
    return text


def count_of(text: str, default: int, most: int) -> int:
    """A whole number from 1 to `most`, or the default."""
    return min(most, max(1, int(text))) if re.fullmatch(r"[0-9]{1,5}", text) else default


def moment_of(text: str) -> float:
    """A time in unix seconds, 0 for none."""
    return float(text) if re.fullmatch(r"[0-9]{9,11}(\.[0-9]{1,9})?", text) else 0.0
