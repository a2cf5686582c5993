"""One request as plain values, made by the seeded streams and sent by whatever client, and its outcome."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Literal

Outcome = Literal["ok", "declined", "failed"]


@dataclass(frozen=True)
class Answer:
    """What came back: the status (0 when nothing did) and the parsed JSON, None when it was none."""

    status: int
    body: object = None

    def text(self, *path: str) -> str:
        """The text at `path` in the body, or nothing: answers are not trusted to have their form."""
        found = self.value(*path)
        return found if isinstance(found, str) else ""

    def value(self, *path: str) -> object:
        """Whatever stands at `path` in the body, or None."""
        found: object = self.body
        for key in path:
            found = found.get(key) if isinstance(found, dict) else None
        return found

    def lines(self, *path: str) -> list[dict[str, object]]:
        """The objects in the list at `path`, or none."""
        found = self.value(*path)
        return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def never(answer: Answer) -> bool:
    """No answer is a decline."""
    return False


@dataclass(frozen=True)
class Request:
    """A request, by default a POST of JSON; `name` groups it in reports.

    `expected` are the statuses that are not a failure. An answer that `declines` holds for, and an expected
    one of 400 and above, is an intended refusal: a blocked payment, a nonsense that must be refused.
    """

    path: str
    body: object
    name: str
    expected: frozenset[int] = frozenset({200})
    method: str = "POST"
    headers: Mapping[str, str] = field(default_factory=dict)
    declines: Callable[[Answer], bool] = never

    def outcome(self, answer: Answer) -> Outcome:
        """What the answer means: done, refused as intended, or a failure."""
        if self.declines(answer):
            return "declined"
        if answer.status not in self.expected:
            return "failed"
        return "declined" if answer.status >= 400 else "ok"


Script = Generator[Request, Answer, None]
"""Yields the requests of one simulated user without end and is sent the answer to each."""
