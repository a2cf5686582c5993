"""Questions that have to be answered with data: each is asked until it was, and what stays empty is named."""

import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from firedrill.clients import BackendError, Refused
from firedrill.dashboards.live import Ask, Calm
from firedrill.verify.check import Missing, Seen
from firedrill.verify.sources import WINDOW_SECONDS, Answers, Unknown

_BAD_REQUEST = 400  # the query cannot be read; nothing changes by asking again
_COMMANDS = {"prometheus": "firedrill query", "loki": "firedrill search"}


@dataclass(frozen=True)
class Question:
    """What is asked together: a panel, an annotation (`may_be_empty`), an example; `calm` may excuse it."""

    name: str
    asks: tuple[Ask, ...]
    calm: Calm | None = None
    may_be_empty: bool = False


@dataclass(frozen=True)
class Row:
    """What came of one dashboard or one set of examples.

    `excused` are the empty ones by the drill that fills them, or by the reason why they may be empty.
    """

    name: str
    asked: int
    with_data: int
    excused: tuple[tuple[str, str], ...] = ()
    wrong: tuple[str, ...] = ()
    not_asked: int = 0

    @property
    def words(self) -> str:
        """The row as a text."""
        rest = [f"{name} is empty until {why}" for name, why in self.excused]
        rest += [f"{self.not_asked} not asked, their backend does not run"] if self.not_asked else []
        return "; ".join([f"{self.with_data} of {self.asked} with data", *rest])


class Asked:
    """Asks what is not answered yet; what was answered once is not asked again."""

    def __init__(
        self, name: str, answers: Answers, *, lenient: str = "", seconds: float = WINDOW_SECONDS
    ) -> None:
        self.row = Row(name, 0, 0)
        self._answers, self._lenient, self._seconds = answers, lenient, seconds
        self._answered: set[str] = set()

    def attempt(self, questions: Iterable[Question]) -> Seen | Missing:
        """Ask all; `lenient` is why all of them may be empty. The row tells it all."""
        wrong: list[_Wrong] = []
        excused: list[tuple[str, str]] = []
        asked = with_data = idle = 0
        for one in questions:
            found = None if one.name in self._answered else self._ask(one)
            asked += not one.may_be_empty
            if found is None:
                self._answered.add(one.name)
                with_data += not one.may_be_empty
            elif found.empty and one.may_be_empty:
                self._answered.add(one.name)
            elif found.idle:
                idle += not one.may_be_empty
            elif found.empty and (why := self._excuse(one)) is not None:
                excused.append((one.name, why))
            else:
                wrong.append(found)
        names = tuple(f"{one.name}: {one.why}" for one in wrong)
        self.row = Row(self.row.name, asked, with_data, tuple(excused), names, idle)
        return _missing(wrong) if wrong else Seen(self.row.words)

    def _ask(self, question: Question) -> "_Wrong | None":
        """What is wrong with its queries, a failing one before an empty one; None when all give data."""
        found = [one for ask in question.asks if (one := self._ask_one(question.name, ask)) is not None]
        return min(found, key=lambda one: (one.empty, one.idle), default=None)

    def _ask_one(self, name: str, ask: Ask) -> "_Wrong | None":
        try:
            count = self._answers.count(ask, seconds=self._seconds)
        except Refused as error:
            return _Wrong(name, ask, error.why, final=error.status == _BAD_REQUEST)
        except (BackendError, Unknown) as error:
            return _Wrong(name, ask, str(error))
        if count is None:
            return _Wrong(name, ask, "its backend does not run", idle=True)
        return None if count else _Wrong(name, ask, "no data", empty=True)

    def _excuse(self, question: Question) -> str | None:
        """Why the question may be empty, None when it must not."""
        calm = question.calm
        if calm is not None and calm.drill:
            return f"drill {calm.drill}"
        if calm is not None and self._holds(calm.meanwhile):
            return calm.why
        return self._lenient or None

    def _holds(self, condition: str) -> bool:
        try:
            return bool(self._answers.count(Ask("prometheus", condition, instant=True)))
        except BackendError:
            return False


@dataclass(frozen=True)
class _Wrong:
    name: str
    ask: Ask
    why: str
    final: bool = False
    empty: bool = False
    idle: bool = False

    def __str__(self) -> str:
        return f"{self.name!r}: {self.why}: {self.ask.datasource} {' '.join(self.ask.text.split())}"


def _missing(wrong: list[_Wrong]) -> Missing:
    first = next((one for one in wrong if one.final), wrong[0])
    command = _COMMANDS.get(first.ask.datasource)
    query = f"{command} {shlex.quote(first.ask.text)}" if command else first.ask.text
    todo = (
        "correct the query"
        if first.final
        else "see whether the signal arrives; what is rightly empty stands in dashboards/empty_in_calm.yml"
    )
    return Missing("; ".join(_ordered(first, wrong)), query, todo, final=first.final)


def _ordered(first: _Wrong, wrong: list[_Wrong]) -> Iterator[str]:
    yield str(first)
    yield from (str(one) for one in wrong if one is not first)
