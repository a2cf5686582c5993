"""A run as JSON: all that a trainee may know, and, when it is over, all that there is to know."""

from collections.abc import Iterable, Mapping

from console.sandbox import links
from console.sandbox.chosen import SetFault
from console.sandbox.conductor import Shift
from console.sandbox.model import ACKNOWLEDGE, QUESTIONS, SINCE, Incident, Question
from console.sandbox.run import ATTEMPTS, Run
from console.sandbox.scoring import POINTS, Score, score, shift_total

Json = Mapping[str, object]


def incident(one: Incident, *, unavailable: str) -> Json:
    """What is told before it begins."""
    return {
        "name": one.name,
        "title": one.title,
        "story": one.story,
        "level": one.level,
        "minutes": round(one.limits.solve / 60, 1),
        "unavailable": unavailable or None,
    }


def run(one: Run) -> Json:
    """The run as it stands; what broke, the answers and the expert's path only when it is over."""
    over = one.phase == "over"
    return {
        "id": one.id,
        "incident": incident(one.incident, unavailable=""),
        "seed": one.plan.seed,
        "phase": one.phase,
        "times": _times(one, over=over),
        "page": _page(one),
        "solve_until": one.solve_until,
        "questions": [_question(one, name) for name in QUESTIONS],
        "actions": [
            {"id": ACKNOWLEDGE, "text": "Take the page", "done": one.seen_at is not None},
            *(_action(one, name) for name in one.plan.actions),
        ],
        "hints": {
            "taken": [hint.text for hint in one.incident.hints[: one.hints]],
            "left": len(one.incident.hints) - one.hints,
            "next_costs": one.incident.hints[one.hints].cost if one.hints < len(one.incident.hints) else None,
        },
        "events": [{"at": event.at, "text": event.text} for event in one.events],
        "outcome": one.outcome or None,
        "why": one.why or None,
        "end": _end(one) if over else None,
    }


def shift(one: Shift, runs: Iterable[Run]) -> Json:
    """The shift with its runs, and their mean when it has ended."""
    known = list(runs)
    totals = [score(each).total for each in known if each.phase == "over" and each.outcome != "void"]
    mean, verdict = shift_total(totals)
    return {
        "id": one.id,
        "seed": one.seed,
        "incidents": len(one.names),
        "runs": [run(each) for each in known],
        "ended": one.ended,
        "total": mean if one.ended else None,
        "verdict": verdict if one.ended else None,
    }


def _times(one: Run, *, over: bool) -> Json:
    return {
        "started": one.started_at,
        "calm": one.calm_at,
        "broken": one.faulted_at if over else None,
        "paged": one.paged_at,
        "seen": one.seen_at,
        "diagnosed": one.diagnosed_at,
        "healed": one.healed_at,
        "cleared": one.cleared_at,
        "ended": one.ended_at,
    }


def _page(one: Run) -> Json | None:
    page = one.page
    if page is None:
        return None
    return {
        "alert": page.alert,
        "at": page.received_at,
        "kind": page.kind,
        "channel": page.channel,
        "title": page.title,
        "text": page.text,
        "links": links.own(page.links),
    }


def _question(one: Run, name: str) -> Json:
    asked = one.incident.question(name)
    given = one.attempts.get(name, ())
    told: dict[str, object] = {
        "id": name,
        "points": POINTS[name],
        "attempts_left": ATTEMPTS - len(given) if one.is_open(name) else 0,
        "attempts": [
            {"at": each.at, "given": each.given, "right": each.right, "says": each.says} for each in given
        ],
    }
    if asked is None:
        return {**told, "text": one.incident.since.text, "tolerance_seconds": one.tolerance}
    return {**told, "text": asked.text, "choices": _choices(one, asked)}


def _choices(one: Run, asked: Question) -> list[Json]:
    by_id = {choice.id: choice for choice in asked.choices}
    return [{"id": name, "text": by_id[name].text} for name in one.plan.choices[asked.id]]


def _action(one: Run, name: str) -> Json:
    action = one.incident.action(name)
    deed = next((each for each in one.deeds if each.id == name), None)
    return {
        "id": name,
        "text": action.text if action else name,
        "done": deed is not None,
        "says": deed.says if deed else None,
    }


def _end(one: Run) -> Json:
    return {
        "score": _score(score(one)),
        "broke": [
            {"fault": f"{each.service}/{each.name}", "parameters": dict(each.parameters)}
            if isinstance(each, SetFault)
            else {"stopped": each.process}
            for each in one.plan.broken
        ],
        "answers": {
            **{each.id: each.right.id for each in one.incident.questions},
            SINCE: one.faulted_at,
            "action": next(action.id for action in one.incident.actions if action.heals),
        },
        "misleads": one.incident.misleads or None,
        "loudest": one.incident.loudest or None,
        "lesson": one.incident.lesson,
        "path": [
            {
                "do": step.do,
                "why": step.why,
                step.kind: step.link,
                "link": links.address(step.kind, step.link),
            }
            for step in one.incident.path
        ],
    }


def _score(found: Score) -> Json:
    return {
        "total": found.total,
        "verdict": found.verdict,
        "lines": [
            {"what": line.what, "points": line.points, "most": line.most, "why": line.why}
            for line in found.lines
        ],
    }
