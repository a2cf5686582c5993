"""Reads the slo.yml of every slice and refuses what is unknown or missing in it by name."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import TopologyError

_REQUIRED = {"name", "alert", "means", "objective", "labels", "events", "dashboard"}
_COUNTED = {"good", "bad"}
_LABELS = ("system", "service", "component")
_SELECTOR = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^{}\n]*\})?")
_NAME = re.compile(r"[a-z][a-z0-9-]*")
_ALERT = re.compile(r"[A-Z][A-Za-z0-9]*SLOBurn")
_WORD = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True)
class Objective:
    """One objective; `budget` is the share of events that may be bad, `events` and the other are counters.

    `dashboard` is the uid of the one to look at. Exactly one of `good` and `bad` is set.
    """

    slice: str
    name: str
    alert: str
    means: str
    budget: Decimal
    labels: Mapping[str, str]
    dashboard: str
    events: str
    good: str | None
    bad: str | None


def slo_files(project: Path) -> list[Path]:
    """Every slice's slo.yml, the platform's included."""
    return sorted(project.glob("services/*/slo.yml")) + sorted(project.glob("config/platform/slo.yml"))


def read_objectives(file: Path) -> list[Objective]:
    """The objectives of one file. Raises TopologyError that names file and objective."""
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TopologyError(
            f"{file} cannot be read", " ".join(str(error).split()), "correct the file"
        ) from None
    entries = document.get("slos") if isinstance(document, dict) and set(document) == {"slos"} else None
    if not isinstance(entries, list) or not entries:
        raise _refusal(file, "the file", "it must hold one list, slos, and nothing else")
    found: list[Objective] = []
    for entry in entries:
        name = str(entry.get("name", "without name")) if isinstance(entry, dict) else "that is no mapping"
        try:
            found.append(_objective(file.parent.name, entry))
            if [one.name for one in found].count(name) > 1:
                raise ValueError("there are two of that name")
        except (TypeError, ValueError) as error:
            raise _refusal(file, f"objective {name}", str(error)) from None
    return found


def _objective(folder: str, entry: Mapping[str, Any]) -> Objective:
    if not isinstance(entry, dict):
        raise TypeError("it must be a mapping")
    if unknown := set(entry) - _REQUIRED - _COUNTED:
        raise ValueError(f"unknown key {', '.join(sorted(map(str, unknown)))}")
    if missing := _REQUIRED - set(entry):
        raise ValueError(f"it lacks {', '.join(sorted(missing))}")
    if len(_COUNTED & set(entry)) != 1:
        raise ValueError("it needs either good or bad, the counter of such events")
    return Objective(
        slice=folder,
        name=_fitting(entry, "name", _NAME, "small letters, digits and -"),
        alert=_fitting(entry, "alert", _ALERT, "a name that ends in SLOBurn; Fast and Slow are added"),
        means=_sentence(entry["means"]),
        budget=_budget(entry["objective"]),
        labels=_labels(entry["labels"]),
        dashboard=_fitting(entry, "dashboard", _NAME, "the uid of a dashboard"),
        events=_selector(entry, "events"),
        good=_selector(entry, "good") if "good" in entry else None,
        bad=_selector(entry, "bad") if "bad" in entry else None,
    )


def _fitting(entry: Mapping[str, Any], key: str, pattern: re.Pattern[str], what: str) -> str:
    if not isinstance(entry[key], str) or not pattern.fullmatch(entry[key]):
        raise ValueError(f"{key} must be {what}, not {entry[key]!r}")
    return str(entry[key])


def _selector(entry: Mapping[str, Any], key: str) -> str:
    return _fitting(entry, key, _SELECTOR, "the selector of a counter, without a range")


def _sentence(value: object) -> str:
    if not isinstance(value, str) or not value or set(value) & set("{}\n"):
        # It becomes part of a notification, which is a template.
        raise ValueError(f"means must be one line without braces, not {value!r}")
    return value


def _budget(value: object) -> Decimal:
    try:
        objective = Decimal(str(value))
    except InvalidOperation:
        objective = Decimal(0)
    if isinstance(value, bool) or not objective.is_finite() or not 0 < objective < 100:
        raise ValueError(f"objective must be a percentage between 0 and 100, not {value!r}")
    return (100 - objective) / 100


def _labels(value: object) -> dict[str, str]:
    if not isinstance(value, dict) or set(value) != set(_LABELS):
        raise ValueError(f"labels must be exactly {', '.join(_LABELS)}")
    for name, text in value.items():
        if not isinstance(text, str) or not _WORD.fullmatch(text):
            raise ValueError(f"label {name} must be a word, not {text!r}")
    return {name: value[name] for name in _LABELS}


def _refusal(file: Path, where: str, why: str) -> TopologyError:
    return TopologyError(f"{file}: {where} cannot be used", why, "compare it with services/fds/slo.yml")
