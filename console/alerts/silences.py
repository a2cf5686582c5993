"""A silence as it is asked for: which labels, how long, and why."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.sources import Silence
from firedrill.ask.text import seconds_of
from firedrill.errors import UsageError

LONGEST_SECONDS = 7 * 86_400.0
LONGEST_COMMENT = 500
# What a silence holds to unless somebody chooses otherwise; without the others it would silence more.
USUAL = ("alertname", "system", "service", "severity", "slo", "burn")


@dataclass(frozen=True)
class Wanted:
    """What to silence, between two unix seconds."""

    equal: Mapping[str, str]
    starts: float
    ends: float
    comment: str


def wanted(
    labels: Mapping[str, str], names: Iterable[str], *, lasts: str, comment: str, now: float
) -> Wanted:
    """A silence of the alerts whose labels `names` are as this one's.

    Raises UsageError without a label, without a reason, and for a duration that cannot be used.
    """
    equal = {name: labels[name] for name in names if labels.get(name)}
    if not equal:
        raise UsageError("choose at least one label", "a silence without one would silence everything")
    if not comment.strip():
        raise UsageError("write why", "whoever finds the silence later needs it")
    seconds = seconds_of(lasts.strip())
    if not math.isfinite(seconds) or not 1 <= seconds <= LONGEST_SECONDS:
        raise UsageError(f"{lasts.strip()} is no length for a silence", "it lasts 1s to 7d", "15m, 2h or 1d")
    return Wanted(equal, now, now + seconds, comment.strip()[:LONGEST_COMMENT])


def current(silences: Iterable[Silence]) -> list[Silence]:
    """Those that are not over, the next to end first."""
    return sorted((one for one in silences if one.state != "expired"), key=lambda one: (one.ends, one.id))
