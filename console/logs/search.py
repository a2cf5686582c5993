"""What is asked of Loki: a form or a query of one's own, its address in the browser, and its LogQL."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from console.asking import count_of, duration_of, moment_of
from firedrill.ask.text import seconds_of
from firedrill.ask.waterfall import parse_id

SINCE = "15m"
LIMIT = 200
MOST = 1_000
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
ANYTHING = 'service=~".+"'  # Loki wants one matcher that is not empty


@dataclass(frozen=True)
class Search:
    """A search as the form holds it; empty means any, `level` means that one and worse.

    `query` is LogQL of one's own and makes the rest but the time meaningless; `until` is in unix seconds,
    0 for now.
    """

    service: str = ""
    level: str = ""
    text: str = ""
    trace_id: str = ""
    query: str = ""
    since: str = SINCE
    limit: int = LIMIT
    until: float = 0.0

    @classmethod
    def of(cls, asked: Mapping[str, str]) -> "Search":
        """From the address of a page; what is not understood there is left out."""
        level = asked.get("level", "").strip().upper()
        return cls(
            service=asked.get("service", "").strip()[:200],
            level=level if level in LEVELS else "",
            text=asked.get("text", "")[:500],
            trace_id=asked.get("trace_id", "").strip().lower()[:40],
            query=asked.get("query", "").strip()[:5_000],
            since=duration_of(asked.get("since", ""), SINCE),
            limit=count_of(asked.get("limit", ""), LIMIT, MOST),
            until=moment_of(asked.get("until", "")),
        )

    def address(self) -> dict[str, str]:
        """For an address: only what differs from an empty form."""
        empty = asdict(Search())
        return {name: str(value) for name, value in asdict(self).items() if value != empty[name]}

    def logql(self) -> str:
        """The query. Raises UsageError for a trace id that is none."""
        if self.query:
            return self.query
        matchers = [f"service={quoted(self.service)}"] if self.service else []
        if self.level:
            worse = "|".join(LEVELS[LEVELS.index(self.level) :])
            matchers.append(f"level=~{quoted(worse)}")
        if not self.service:
            matchers.insert(0, ANYTHING)
        stages = [f"{{{', '.join(matchers)}}}"]
        if self.trace_id:
            stages.append(f"| trace_id={quoted(parse_id(self.trace_id))}")
        if self.text:
            stages.append(f"|~ {quoted('(?i)' + escaped(self.text))}")
        return " ".join(stages)

    def span(self, now: float) -> tuple[float, float]:
        """From when to when, in unix seconds."""
        end = self.until or now
        return end - seconds_of(self.since), end


def quoted(text: str) -> str:
    """`text` as a string of LogQL, whatever stands in it."""
    return json.dumps(text, ensure_ascii=False)


def escaped(text: str) -> str:
    """`text` so that a regular expression finds just that."""
    return re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", text)
