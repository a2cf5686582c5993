"""Every query of every dashboard and every example of the docs, asked of the running backends."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from firedrill.clients import BackendError
from firedrill.dashboards.examples import PAGE, Example, examples
from firedrill.dashboards.expressions import ExpressionError
from firedrill.dashboards.live import Ask, Calm, Live, empty_in_calm, filled, live, macros, scrape_seconds
from firedrill.errors import TopologyError
from firedrill.verify.asked import Asked, Question, Row
from firedrill.verify.check import Check, Missing, NotChecked, Seen
from firedrill.verify.sources import Answers

EXAMPLES_SECONDS = 900.0
NO_TRAFFIC = "there is traffic (TRAFFIC=off)"
PLATFORM = "platform"


@dataclass(frozen=True)
class Panels:
    """The checks, what they have found (after they ran), and what is not asked."""

    checks: tuple[Check, ...]
    asked: tuple[Asked, ...]
    not_checked: tuple[NotChecked, ...]

    def rows(self) -> list[Row]:
        """A row for each dashboard, then one for each section of examples."""
        return [one.row for one in self.asked]


def panels(root: Path, *, answers: Answers, started: frozenset[str], systems: frozenset[str]) -> Panels:
    """The checks of a project's dashboards and examples; `systems` are those that run.

    Raises TopologyError for a dashboard that cannot be read.
    """
    lenient = "" if "traffic" in started else NO_TRAFFIC
    checks: list[Check] = []
    asked: list[Asked] = []
    idle: list[NotChecked] = []
    needs = tuple(name for name in ("prometheus", "loki", "promtail", "traffic") if name in started)
    excuses = empty_in_calm(root)
    for board in boards(root):
        if board.folder not in systems | {PLATFORM}:
            idle.append(NotChecked(f"dashboard {board.uid}", f"the system {board.folder} is not started"))
            continue
        one = Asked(f"{board.folder}/{board.uid}", answers, lenient=lenient)
        check = _BoardCheck(board, one, answers, excuses, scrape_seconds(root))
        asked.append(one)
        checks.append(Check(f"dashboard {board.uid}", check.attempt, needs))
    by_section: dict[str, list[Example]] = {}
    for example in examples(root):
        by_section.setdefault(example.section, []).append(example)
    for section, found in by_section.items():
        if (root / "services" / section).is_dir() and section not in started:
            idle.append(NotChecked(f"examples {section}", "the service is not started"))
            continue
        one = Asked(f"{PAGE} {section}", answers, lenient=lenient, seconds=EXAMPLES_SECONDS)
        asked.append(one)
        checks.append(Check(f"examples {section}", _Examples(found, one).attempt, needs))
    return Panels(tuple(checks), tuple(asked), tuple(idle))


def boards(root: Path) -> Iterator[Live]:
    """Every compiled dashboard below dashboards/. Raises TopologyError."""
    for path in sorted((root / "dashboards").glob("*/*.json")):
        try:
            yield live(json.loads(path.read_text("utf-8")), path.parent.name)
        except (OSError, ValueError, KeyError, TypeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise TopologyError(f"{path} cannot be read", why, "make generate") from error


class _BoardCheck:
    """One dashboard: the values of its variables first, then whatever they fill in."""

    def __init__(
        self,
        board: Live,
        asked: Asked,
        answers: Answers,
        excuses: Mapping[tuple[str, str], Calm],
        scrape: float,
    ) -> None:
        self._board, self._asked, self._answers, self._excuses = board, asked, answers, excuses
        self._macros = macros(board.range_seconds, scrape)

    def attempt(self) -> Seen | Missing:
        values: dict[str, Sequence[str]] = {}
        for one in self._board.variables:
            try:
                found = self._answers.values(one)
            except BackendError as error:
                return Missing(f"the values of ${one.name} cannot be asked: {error}")
            if found is not None and not found:
                what = f"the variable ${one.name} has no values: label {one.label} of {one.metric or 'logs'}"
                return Missing(what, f"firedrill query '{one.metric}'" if one.metric else "")
            values[one.name] = found or [".+"]
        try:
            questions = list(self._questions(values))
        except ExpressionError as error:
            return Missing(f"{self._board.uid}: {error}", todo="correct the builder", final=True)
        found_out = self._asked.attempt(questions)
        if isinstance(found_out, Missing):
            return found_out
        more = len(self._board.variables) + len(self._board.annotations)
        return Seen(f"panels: {self._asked.row.words}; {more} variables and annotations answer")

    def _questions(self, values: Mapping[str, Sequence[str]]) -> Iterator[Question]:
        board = self._board
        for notes, shown in ((False, board.panels), (True, board.annotations)):
            for one in shown:
                asks = tuple(replace(ask, text=filled(ask.text, self._macros, values)) for ask in one.asks)
                name = f"annotation {one.title}" if notes else one.title
                yield Question(name, asks, self._excuses.get((board.uid, one.title)), may_be_empty=notes)


class _Examples:
    """The examples of one section."""

    def __init__(self, found: Sequence[Example], asked: Asked) -> None:
        self._found, self._asked = found, asked

    def attempt(self) -> Seen | Missing:
        return self._asked.attempt(_question(one) for one in self._found)


def _question(one: Example) -> Question:
    calm = Calm("nothing is wrong", one.drill) if one.drill else None
    return Question(f"line {one.line}", (Ask(one.datasource, one.query, instant=True),), calm)
