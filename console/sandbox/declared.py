"""Reads the incidents/*.yml of every slice and refuses by name what is unknown, missing or makes no sense."""

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

import yaml

from console.sandbox.model import (
    ACKNOWLEDGE,
    CAUSE,
    LEVELS,
    LINKS,
    WHERE,
    Action,
    Breakage,
    Choice,
    Hint,
    Incident,
    Limits,
    LinkKind,
    Question,
    ServiceFault,
    SinceQuestion,
    Step,
    StoppedProcess,
    Traffic,
    Value,
)
from firedrill.errors import TopologyError
from firedrill.pace import seconds

T = TypeVar("T")
Entry = Mapping[str, Any]

_REQUIRED = {
    "title", "story", "level", "page", "breaks", "limits", "questions", "actions", "hints", "path", "lesson",
}  # fmt: skip
_OPTIONAL = {"alerts", "traffic", "begins_after", "loudest", "misleads"}
_ID = re.compile(r"[a-z][a-z0-9-]{1,39}")
_DEFAULT_COST = 10
LONGEST_SOLVE_SECONDS = 1800.0


class IncidentError(TopologyError):
    """An incident's file cannot be used; the text names the file and the place in it."""


def incident_files(slices: Path, platform: Path) -> list[Path]:
    """The incidents of every slice in `slices`, and of the platform's folder."""
    return sorted(slices.glob("*/incidents/*.yml")) + sorted(platform.glob("incidents/*.yml"))


def declared_incidents(slices: Path, platform: Path) -> dict[str, Incident]:
    """Every incident by name, easy ones first. Raises IncidentError."""
    found = [read_incident(file) for file in incident_files(slices, platform)]
    return {one.name: one for one in sorted(found, key=lambda each: (each.level, each.name))}


def read_incident(file: Path) -> Incident:
    """The incident of one file. Raises IncidentError that names file and place."""
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise _refusal(file, " ".join(str(error).split())) from None
    try:
        return _incident(file, _keys("the file", document, _REQUIRED, _OPTIONAL))
    except (ValueError, TypeError) as error:
        raise _refusal(file, str(error)) from None


def _refusal(file: Path, why: str) -> IncidentError:
    return IncidentError(f"{file} cannot be used as an incident", why, "see CONTRIBUTING.md, Add an incident")


def _incident(file: Path, entry: Entry) -> Incident:
    questions = _keys("questions", entry["questions"], {WHERE, CAUSE, "since"})
    since = _keys("questions.since", questions["since"], {"text", "tolerance"})
    limits = _keys("limits", entry["limits"], {"page", "solve", "clear"})
    found = Incident(
        file=file,
        slice=file.parent.parent.name,
        title=_text("title", entry["title"]),
        story=_text("story", entry["story"]),
        level=_level(entry["level"]),
        page=tuple(_names("page", entry["page"])),
        alerts=frozenset(_names("alerts", entry.get("alerts", ()))),
        breakages=_each("breaks", entry["breaks"], _breakage),
        traffic=_each("traffic", entry.get("traffic", ()), _traffic),
        begins_after=_span("begins_after", entry.get("begins_after", ["8s", "20s"])),
        limits=Limits(**{name: _seconds(f"limits.{name}", value) for name, value in limits.items()}),
        questions=tuple(_question(name, questions[name]) for name in (WHERE, CAUSE)),
        since=SinceQuestion(
            _text("questions.since.text", since["text"]),
            _seconds("questions.since.tolerance", since["tolerance"]),
        ),
        actions=_each("actions", entry["actions"], _action),
        hints=_each("hints", entry["hints"], _hint),
        path=_each("path", entry["path"], _step),
        lesson=_text("lesson", entry["lesson"]),
        loudest=_text("loudest", entry["loudest"]) if "loudest" in entry else "",
        misleads=_text("misleads", entry["misleads"]) if "misleads" in entry else "",
    )
    _sensible(found)
    return found


def _sensible(found: Incident) -> None:
    """What the parts must be together."""
    for what, there in (
        ("breaks", found.breakages), ("page", found.page), ("hints", found.hints), ("path", found.path),
    ):  # fmt: skip
        if not there:
            raise ValueError(f"{what} is empty")
    if bool(found.loudest) != bool(found.misleads):
        raise ValueError("loudest and misleads belong together: which alert, and why it is not the cause")
    if found.loudest and found.loudest not in {*found.page, *found.alerts}:
        raise ValueError(f"loudest is {found.loudest}, which is neither in page nor in alerts")
    if sum(action.heals for action in found.actions) != 1:
        raise ValueError("exactly one of the actions has heals: true")
    if len(found.actions) < 3:
        raise ValueError("at least three actions: one that heals and two that do not")
    if found.limits.solve > LONGEST_SOLVE_SECONDS:
        raise ValueError(f"limits.solve is at most {LONGEST_SOLVE_SECONDS:g} s")
    _unique("actions", (action.id for action in found.actions))
    if found.action(ACKNOWLEDGE):
        raise ValueError(f"the action {ACKNOWLEDGE} exists already, in every incident")


def _question(name: str, value: object) -> Question:
    place = f"questions.{name}"
    entry = _keys(place, value, {"text", "choices"})
    choices = _each(f"{place}.choices", entry["choices"], _choice)
    if sum(choice.right for choice in choices) != 1:
        raise ValueError(f"{place}: exactly one choice has right: true")
    if len(choices) < 3:
        raise ValueError(f"{place}: at least three choices")
    _unique(f"{place}.choices", (choice.id for choice in choices))
    return Question(name, _text(f"{place}.text", entry["text"]), choices)


def _choice(place: str, value: object) -> Choice:
    entry = _keys(place, value, {"id", "text", "says"}, {"right"})
    return Choice(
        _id(place, entry["id"]), _text(f"{place}.text", entry["text"]),
        _truth(f"{place}.right", entry.get("right", False)), _text(f"{place}.says", entry["says"]),
    )  # fmt: skip


def _action(place: str, value: object) -> Action:
    entry = _keys(place, value, {"id", "text", "says"}, {"heals", "cost"})
    heals = _truth(f"{place}.heals", entry.get("heals", False))
    if heals and "cost" in entry:
        raise ValueError(f"{place}: what heals costs nothing")
    cost = 0 if heals else _points(f"{place}.cost", entry.get("cost", _DEFAULT_COST))
    return Action(
        _id(place, entry["id"]), _text(f"{place}.text", entry["text"]), heals, cost,
        _text(f"{place}.says", entry["says"]),
    )  # fmt: skip


def _hint(place: str, value: object) -> Hint:
    entry = _keys(place, value, {"text", "cost"})
    return Hint(_text(f"{place}.text", entry["text"]), _points(f"{place}.cost", entry["cost"]))


def _step(place: str, value: object) -> Step:
    entry = _keys(place, value, {"do", "why"}, set(LINKS))
    kinds = [kind for kind in LINKS if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"{place}: exactly one of {', '.join(LINKS)}")
    return Step(
        _text(f"{place}.do", entry["do"]), _text(f"{place}.why", entry["why"]),
        cast(LinkKind, kinds[0]), _text(f"{place}.{kinds[0]}", entry[kinds[0]]),
    )  # fmt: skip


def _breakage(place: str, value: object) -> Breakage:
    if isinstance(value, dict) and "process" in value:
        return StoppedProcess(_text(f"{place}.process", _keys(place, value, {"process"})["process"]))
    entry = _keys(place, value, {"service", "fault"}, {"parameters"})
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict):
        raise TypeError(f"{place}.parameters must be a mapping")
    chosen = {str(name): _values(f"{place}.parameters.{name}", one) for name, one in parameters.items()}
    return ServiceFault(
        _text(f"{place}.service", entry["service"]), _text(f"{place}.fault", entry["fault"]), chosen
    )


def _values(place: str, value: object) -> tuple[Value, ...]:
    values = value if isinstance(value, list) else [value]
    if not values or any(isinstance(one, bool) or not isinstance(one, float | int | str) for one in values):
        raise ValueError(f"{place} must be a number, a text, or a list of them")
    return tuple(values)


def _traffic(place: str, value: object) -> Traffic:
    entry = _keys(place, value, {"target", "rate"})
    rate = entry["rate"]
    if isinstance(rate, bool) or not isinstance(rate, float | int) or not 0 < rate <= 50:
        raise ValueError(f"{place}.rate must be a number of requests a second, above 0 and at most 50")
    return Traffic(_text(f"{place}.target", entry["target"]), float(rate))


def _each(place: str, value: object, read: Callable[[str, object], T]) -> tuple[T, ...]:
    if not isinstance(value, list | tuple):
        raise TypeError(f"{place} must be a list")
    return tuple(read(f"{place}[{number}]", one) for number, one in enumerate(value, start=1))


def _keys(place: str, value: object, required: set[str], optional: Iterable[str] = ()) -> Entry:
    if not isinstance(value, dict):
        raise TypeError(f"{place} must be a mapping")
    if missing := sorted(required - set(value)):
        raise ValueError(f"{place} lacks {', '.join(missing)}")
    if unknown := sorted(str(one) for one in set(value) - required - set(optional)):
        raise ValueError(f"{place} has the unknown key {', '.join(unknown)}")
    return value


def _names(place: str, value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list | tuple) or not all(isinstance(one, str) and one for one in names):
        raise ValueError(f"{place} must be the name of an alert, or a list of them")
    return list(names)


def _text(place: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{place} must be a text")
    return " ".join(value.split())


def _id(place: str, value: object) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise ValueError(f"{place}.id must be of a-z, 0-9 and -, 2 to 40 of them")
    return value


def _level(value: object) -> int:
    if isinstance(value, bool) or value not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(map(str, LEVELS))}")
    return int(value)


def _points(place: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 25:
        raise ValueError(f"{place} must be a whole number of points, 1 to 25")
    return value


def _truth(place: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{place} must be true or false")
    return value


def _seconds(place: str, value: object) -> float:
    try:
        found = seconds(str(value))
    except ValueError:
        found = 0.0
    if found <= 0:
        raise ValueError(f"{place} must be a duration such as 90s or 10m")
    return found


def _span(place: str, value: object) -> tuple[float, float]:
    if not isinstance(value, list | tuple) or len(value) != 2:
        raise ValueError(f"{place} must be two durations, the least and the most")
    least, most = (_seconds(place, one) for one in value)
    if least > most:
        raise ValueError(f"{place}: the least is above the most")
    return least, most


def _unique(place: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for one in ids:
        if one in seen:
            raise ValueError(f"{place}: {one} is there twice")
        seen.add(one)
