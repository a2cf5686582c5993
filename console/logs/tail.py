"""The live tail: what is new since the last look, although lines reach Loki late and out of order."""

from collections.abc import Iterable

from firedrill.clients import LogLine

from .rows import Row, rows_of

OVERLAP_SECONDS = 10.0  # Promtail sends after a second, and a busy machine later
KEPT = 500


class Tail:
    """The rows of a page that follows, newest first, at most `kept` of them."""

    def __init__(self, *, kept: int = KEPT) -> None:
        self._kept = kept
        self.rows: list[Row] = []

    def since(self, now: float) -> float:
        """From when on to ask, in unix seconds: a little before the newest line that is there."""
        newest = self.rows[0].at if self.rows else now
        return min(newest, now) - OVERLAP_SECONDS

    def take(self, lines: Iterable[LogLine]) -> list[Row]:
        """Add what has come; gives the rows that were not there before, newest first."""
        known = {row.key for row in self.rows}
        new = [row for row in rows_of(lines) if row.key not in known]
        if new:
            merged = sorted([*new, *self.rows], key=lambda row: int(row.nanoseconds), reverse=True)
            self.rows = merged[: self._kept]
        return new
