"""What a viewer chose on a board, as it stands in the page's address."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from console.boards.document import Board
from firedrill.pace import seconds

RANGES: Mapping[float, str] = {
    300.0: "last 5 min", 900.0: "last 15 min", 1800.0: "last 30 min", 3600.0: "last 1 h", 10800.0: "last 3 h",
    21600.0: "last 6 h", 86400.0: "last 24 h",
}  # fmt: skip
REFRESHES: Mapping[float, str] = {5.0: "every 5 s", 10.0: "every 10 s", 30.0: "every 30 s", 0.0: "off"}
LEAST_SPAN, MOST_SPAN = 60.0, 30 * 86400.0
MOST_VALUES = 20
_RELATIVE = re.compile(r"now-(\w{1,12})")


@dataclass(frozen=True)
class Chosen:
    """Time and variables; `end` in unix seconds, None for now; `refresh` and `span` in seconds."""

    span: float
    end: float | None
    refresh: float
    refreshes: bool
    variables: Mapping[str, tuple[str, ...]]

    @property
    def ttl(self) -> float:
        """For how long viewers share an answer: until about the next refresh."""
        return max(self.refresh * 0.9, 2.0) if self.refreshes else 10.0

    def query(self, board: Board) -> list[tuple[str, str]]:
        """The address's query: what differs from the board's own choice, in Grafana's words."""
        words: list[tuple[str, str]] = []
        if self.end is not None:
            words += [
                ("from", str(round((self.end - self.span) * 1000))),
                ("to", str(round(self.end * 1000))),
            ]
        elif self.span != board.span:
            words += [("from", f"now-{self.span:.0f}s"), ("to", "now")]
        if not self.refreshes:
            words.append(("refresh", "off"))
        elif self.refresh != board.refresh:
            words.append(("refresh", f"{self.refresh:g}s"))
        return words + [
            (f"var-{name}", value) for name, values in self.variables.items() for value in values
        ]  # fmt: skip


def chosen_of(board: Board, query: Iterable[tuple[str, str]]) -> Chosen:
    """The choice in an address; what cannot be read is as the board has it."""
    asked = list(query)
    single = dict(asked)
    span, end = _time(single.get("from", ""), single.get("to", ""), board.span)
    refreshes = single.get("refresh") != "off" and end is None
    known = {one.name for one in board.variables}
    variables: dict[str, tuple[str, ...]] = {}
    for key, value in asked:
        name = key.removeprefix("var-")
        if key.startswith("var-") and name in known and value and value != "$__all":
            variables[name] = (*variables.get(name, ()), value[:200])[:MOST_VALUES]
    return Chosen(span, end, _duration(single.get("refresh", ""), board.refresh), refreshes, variables)


def _time(begin: str, end: str, otherwise: float) -> tuple[float, float | None]:
    if begin.isdigit() and end.isdigit() and len(begin) < 15 and len(end) < 15:
        start, stop = int(begin) / 1000, int(end) / 1000
        if LEAST_SPAN <= stop - start <= MOST_SPAN:
            return stop - start, stop
    found = _RELATIVE.fullmatch(begin)
    span = _duration(found[1], otherwise) if found else otherwise
    return min(max(span, LEAST_SPAN), MOST_SPAN), None


def _duration(text: str, otherwise: float) -> float:
    try:
        return seconds(text) or otherwise
    except ValueError:
        return otherwise
