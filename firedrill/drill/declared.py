"""Reads the drills.yml of every slice and refuses what is unknown or missing in it by name."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import TopologyError, UsageError
from firedrill.pace import PACES, PromqlError, pace_expression, seconds

from .model import (
    ALERT,
    EVERYTHING,
    HEARTBEAT,
    AnyFault,
    Deadlines,
    Drill,
    Fault,
    Ideal,
    IdealLevel,
    IdealSeries,
    Notice,
    ProcessFault,
    Signal,
    TrafficPlan,
)

_KEYS = {
    "alert", "kind", "fault", "traffic", "signal", "ideal", "deadlines", "notifies", "also_expected",
    "disturbs",
}  # fmt: skip
_OF_ALERTS = {"traffic", "signal", "ideal", "notifies"}  # a heartbeat has none of them
_WAITS = {"faulty_after", "healed_after"}


def drill_files(project: Path) -> list[Path]:
    """Every slice's drills.yml, the platform's included."""
    return sorted(project.glob("services/*/drills.yml")) + sorted(project.glob("config/platform/drills.yml"))


def declared_drills(project: Path) -> list[Drill]:
    """Every drill of the project, in the order of slices. Raises TopologyError that names file and drill."""
    return [drill for file in drill_files(project) for drill in read_drills(file)]


def chosen(drills: Iterable[Drill], names: Iterable[str]) -> list[Drill]:
    """The drills of the alerts `names`, each `Alert` or `slice/Alert`. Raises UsageError if unknown."""
    known = list(drills)
    found = []
    for name in names:
        matching = [drill for drill in known if name in {drill.alert, f"{drill.slice}/{drill.alert}"}]
        if not matching:
            there = ", ".join(f"{drill.slice}/{drill.alert}" for drill in known)
            raise UsageError(f"there is no drill for {name!r}", f"drills: {there}", "make drill NAME=<alert>")
        if len(matching) > 1:
            there = ", ".join(f"{drill.slice}/{drill.alert}" for drill in matching)
            raise UsageError(f"{name!r} is the name of several drills", there, "name the slice too")
        found.append(matching[0])
    return found


def read_drills(file: Path) -> list[Drill]:
    """The drills of one file, joined with the labels of their rules in the alerts.yml beside it."""
    document = _yaml(file)
    labels = rule_labels(file.with_name("alerts.yml"))
    if (
        not isinstance(document, dict)
        or set(document) != {"drills"}
        or not isinstance(document["drills"], list)
    ):
        raise _refusal(file, "the file", "it must hold one list, drills")
    drills = []
    for entry in document["drills"]:
        name = str(entry.get("alert", "without alert")) if isinstance(entry, dict) else "that is no mapping"
        try:
            drills.append(_drill(file, entry, labels))
        except KeyError as error:
            raise _refusal(file, f"drill {name}", f"it lacks {error.args[0]}") from None
        except (TypeError, ValueError, AttributeError) as error:
            raise _refusal(file, f"drill {name}", str(error)) from None
    return drills


def rule_labels(alerts_file: Path) -> dict[str, dict[str, str]]:
    """Alert names of a slice's rules, written and generated, with their static labels."""
    files = [alerts_file, alerts_file.with_name("slo_rules.yml")]
    return {
        rule["alert"]: {k: str(v) for k, v in rule.get("labels", {}).items() if "{{" not in str(v)}
        for file in files
        if file == alerts_file or file.exists()
        for group in _yaml(file)["groups"]
        for rule in group["rules"]
        if "alert" in rule
    }


def _drill(file: Path, entry: Mapping[str, Any], labels: Mapping[str, Mapping[str, str]]) -> Drill:
    if unknown := set(entry) - _KEYS:
        raise ValueError(f"unknown key {', '.join(sorted(unknown))}")
    alert, kind = str(entry["alert"]), str(entry.get("kind", ALERT))
    if alert not in labels:
        raise ValueError("no rule of the slice has that name")
    if kind not in {ALERT, HEARTBEAT}:
        raise ValueError(f"unknown kind {kind}")
    if kind == HEARTBEAT and (wrong := _OF_ALERTS & set(entry)):
        raise ValueError(f"a heartbeat has no {', '.join(sorted(wrong))}")
    of_alert = kind == ALERT
    traffic = _traffic(entry) if "traffic" in entry else None
    return Drill(
        alert=alert,
        file=file,
        labels=labels[alert],
        fault=_fault(_mapping(entry, "fault")),
        traffic=traffic,
        signal=_signal(_mapping(entry, "signal")) if of_alert else None,
        ideal=tuple(_ideal(one) for one in entry["ideal"]) if of_alert else (),
        deadlines={pace: _deadlines(entry["deadlines"][pace]) for pace in PACES},
        notices=tuple(Notice(**one) for one in entry["notifies"]) if of_alert else (),
        also_expected=_names(entry, "also_expected", ()),
        disturbs=_names(entry, "disturbs", (EVERYTHING,)),
        kind=kind,
    )


def _fault(entry: dict[str, Any]) -> AnyFault:
    return ProcessFault(**entry) if "process" in entry else Fault(**{"parameters": {}, **entry})


def _traffic(entry: Mapping[str, Any]) -> TrafficPlan:
    found = _mapping(entry, "traffic")
    _paced(found["arrives"])
    return TrafficPlan(**{**found, "rate": float(found["rate"])})


def _signal(entry: dict[str, Any]) -> Signal:
    limits: dict[str, Any] = {key: float(entry[key]) for key in ("above", "below") if key in entry}
    if len(limits) != 1:
        raise ValueError("a signal has one limit, above or below")
    _paced(entry["query"])
    return Signal(**{**entry, **limits})


def _ideal(entry: Mapping[str, Any]) -> Ideal:
    series = str(entry["series"])
    numbers: dict[str, float] = {}
    for key, value in entry.items():
        if key != "series":
            numbers[key] = seconds(str(value)) if key in _WAITS else float(value)
    return IdealLevel(series, **numbers) if "before" in entry else IdealSeries(series, **numbers)


def _names(entry: Mapping[str, Any], key: str, default: tuple[str, ...]) -> frozenset[str]:
    found = entry.get(key, default)
    if isinstance(found, str):
        found = [found]
    return frozenset(str(one) for one in found)


def _mapping(entry: Mapping[str, Any], key: str) -> dict[str, Any]:
    if not isinstance(entry[key], dict):
        raise TypeError(f"{key} must be a mapping")
    return dict(entry[key])


def _deadlines(entry: Mapping[str, str]) -> Deadlines:
    return Deadlines(fire=seconds(entry["fire"]), clear=seconds(entry["clear"]))


def _paced(query: str) -> None:
    try:
        pace_expression(query, "demo")
    except PromqlError as error:
        raise ValueError(f"the query {query!r} has no demo pace: {error}") from None


def _yaml(file: Path) -> Any:
    try:
        return yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise TopologyError(
            f"{file} cannot be read", " ".join(str(error).split()), "correct the file"
        ) from None


def _refusal(file: Path, where: str, why: str) -> TopologyError:
    return TopologyError(f"{file}: {where} cannot be used", why, "see CONTRIBUTING.md, Add an alert")
