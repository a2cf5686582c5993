"""A check, and what one attempt at it can find."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from firedrill.errors import FiredrillError


@dataclass(frozen=True)
class Seen:
    """The attempt found what it looks for; `detail` names it for the reader."""

    detail: str = ""


@dataclass(frozen=True)
class Missing:
    """The attempt did not find it: what is missing, by which query or address, and what to do.

    `final` means that no later attempt can find it: the check fails at once.
    """

    what: str
    query: str = ""
    todo: str = ""
    final: bool = False


Attempt = Callable[[], Seen | Missing]


@dataclass(frozen=True)
class Check:
    """One assertion about the stack; `needs` are the compose services without which it cannot hold."""

    name: str
    attempt: Attempt
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class NotChecked:
    """Something that verify did not look at, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Outcome:
    """How a check ended, after how many seconds; `causes` are services found not running."""

    check: str
    result: Literal["passed", "failed"]
    seconds: float
    detail: str = ""
    query: str = ""
    todo: str = ""
    causes: tuple[str, ...] = ()


def attempt_once(check: Check) -> Seen | Missing:
    """One attempt; an error of a backend, or an answer in a shape that we do not know, is a Missing."""
    try:
        return check.attempt()
    except FiredrillError as error:
        return Missing(f"{error.what}: {error.why}" if error.why else error.what, todo=error.todo)
    except (KeyError, TypeError, ValueError, IndexError) as error:
        text = f"an answer has a shape that verify does not know: {type(error).__name__}: {error}"
        return Missing(text, todo="compare the component's version with docker-compose.yml")
