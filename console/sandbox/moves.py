"""What a trainee does to a run: takes the page, answers, asks for a hint, acts, ends it."""

from dataclasses import replace

from console.sandbox.model import ACKNOWLEDGE, SINCE, Choice
from console.sandbox.run import (
    Attempt,
    Deed,
    NotNowError,
    Run,
    UnknownError,
    ended,
    healed,
    noted,
)


def end(run: Run, now: float) -> Run:
    """The trainee gives up, or is content with what is answered. Raises NotNowError when it is over."""
    if run.phase == "over":
        raise NotNowError("the run is over already")
    if run.healed_at is not None:
        return ended(run, now, "solved", "")
    return ended(run, now, "gave up", "The trainee gave up; the stack was healed for the next one.")


def acknowledge(run: Run, now: float) -> Run:
    """The trainee has seen the page. Raises NotNowError without a page; a second time changes nothing."""
    _needs_page(run)
    if run.seen_at is not None:
        return run
    return noted(replace(run, seen_at=now), now, "You took the page.")


def answer_choice(run: Run, question: str, choice: str, now: float) -> tuple[Run, Attempt]:
    """An answer to `where` or `cause`. Raises NotNowError, UnknownError."""
    asked = run.incident.question(question)
    if asked is None:
        raise UnknownError(f"there is no question {question[:40]!r} with choices; there are: where, cause")
    found = next((one for one in asked.choices if one.id == choice), None)
    if found is None:
        there = ", ".join(one.id for one in asked.choices)
        raise UnknownError(f"{choice[:60]!r} is no answer to {question}; there are: {there}")
    _needs_question(run, question)
    if any(one.given == choice for one in run.attempts.get(question, ())):
        raise NotNowError(f"{choice} was wrong the first time already")
    return _answered(run, question, _attempt(run, question, found, now))


def answer_since(run: Run, moment: float, now: float) -> tuple[Run, Attempt]:
    """An answer to `since`, in unix seconds. Raises NotNowError; UnknownError for a time to come."""
    if moment > now + 1:
        raise UnknownError("that moment is still to come")
    _needs_question(run, SINCE)
    off = abs(moment - (run.faulted_at or 0.0))
    tries = len(run.attempts.get(SINCE, ()))
    right, near = off <= run.tolerance, off <= 2 * run.tolerance
    worth = (1.0 if right else 0.5 if near else 0.0) * _worth(tries)
    says = (
        f"Right, within {run.tolerance:g} s."
        if right
        else f"Near: less than {2 * run.tolerance:g} s off, which is worth half."
        if near
        else f"No: more than {2 * run.tolerance:g} s off. Find the first point of the graph that moves."
    )
    return _answered(run, SINCE, Attempt(now, f"{moment:.3f}", right, worth, says))


def take_hint(run: Run, now: float) -> Run:
    """The next hint is open. Raises NotNowError when there is none, or no page."""
    _needs_page(run)
    if run.hints >= len(run.incident.hints):
        raise NotNowError("there is no further hint; the expert's path is told at the end")
    cost = run.incident.hints[run.hints].cost
    return noted(replace(run, hints=run.hints + 1), now, f"You took hint {run.hints + 1} (-{cost}).")


def deed_of(run: Run, action: str, now: float) -> Deed:
    """The action that is asked for, not yet done. Raises NotNowError, UnknownError."""
    found = run.incident.action(action)
    if found is None:
        there = ", ".join([ACKNOWLEDGE, *run.plan.actions])
        raise UnknownError(f"there is no action {action[:40]!r}; there are: {there}")
    _needs_page(run)
    if run.healed_at is not None:
        raise NotNowError("it is mended already; watch the alert clear, and answer what is open")
    if any(one.id == action for one in run.deeds):
        raise NotNowError("you did that already, and it did not help")
    return Deed(now, found.id, found.text, found.heals, found.cost, found.says)


def done(run: Run, deed: Deed) -> Run:
    """The action was taken; where it heals, the fault is out."""
    run = replace(run, deeds=(*run.deeds, deed))
    cost = f" (-{deed.cost})" if deed.cost else ""
    run = noted(run, deed.at, f"You did: {deed.text}{cost}")
    return healed(run, deed.at, deed.id) if deed.heals else run


def _attempt(run: Run, question: str, choice: Choice, now: float) -> Attempt:
    worth = _worth(len(run.attempts.get(question, ()))) if choice.right else 0.0
    return Attempt(now, choice.id, choice.right, worth, choice.says)


def _worth(tries_before: int) -> float:
    return 1.0 if tries_before == 0 else 0.5


def _answered(run: Run, question: str, attempt: Attempt) -> tuple[Run, Attempt]:
    given = {**run.attempts, question: (*run.attempts.get(question, ()), attempt)}
    run = replace(run, attempts=given, seen_at=run.seen_at or attempt.at)
    run = noted(run, attempt.at, f"You answered {question}: {'right' if attempt.right else 'not right'}.")
    known = all(any(one.right for one in given.get(name, ())) for name in ("where", "cause"))
    if known and run.diagnosed_at is None:
        run = replace(run, diagnosed_at=attempt.at)
    return run, attempt


def _needs_page(run: Run) -> None:
    if run.phase == "over":
        raise NotNowError("the run is over")
    if run.paged_at is None:
        raise NotNowError("there is no page yet; wait for it, and look around meanwhile")


def _needs_question(run: Run, question: str) -> None:
    _needs_page(run)
    if not run.is_open(question):
        raise NotNowError(f"{question} is answered")
