"""Reads config/platform/budgets.yml and refuses what is unknown or missing in it by name."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from firedrill.errors import TopologyError

from .model import MEASURES, Budget, Budgets, Journey

FILE = Path("config/platform/budgets.yml")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(B|kB|MB|GB)")
_FACTORS = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def read_budgets(file: Path) -> Budgets:
    """The budgets of a file. Raises TopologyError that names the entry which cannot be used."""
    try:
        document = yaml.safe_load(file.read_text("utf-8"))
    except (OSError, yaml.YAMLError) as error:
        why = " ".join(str(error).split())
        raise TopologyError(f"{file} cannot be read", why, "correct the file") from None
    if not isinstance(document, dict):
        raise _refusal(file, "the file", "it must map measures to budgets")
    known = {*MEASURES, "journeys"}
    if unknown := sorted(set(document) - known):
        raise _refusal(file, unknown[0], f"no such measure; known are {', '.join(sorted(known))}")
    entries: dict[str, dict[str, Budget]] = {}
    for measure in (one for one in document if one != "journeys"):
        entries[measure] = {
            str(subject): _budget(file, f"{measure}, {subject}", entry)
            for subject, entry in _mapping(file, measure, document[measure]).items()
        }
    journeys = {
        str(name): _journey(file, f"journeys, {name}", entry)
        for name, entry in _mapping(file, "journeys", document.get("journeys", {})).items()
    }
    return Budgets(entries, journeys)


def _budget(file: Path, where: str, entry: object) -> Budget:
    if not isinstance(entry, dict) or set(entry) != {"at_most", "reason"}:
        raise _refusal(file, where, "it must have at_most and reason")
    reason = " ".join(str(entry["reason"]).split())
    if not reason:
        raise _refusal(file, where, "its reason is empty")
    return Budget(_number(file, where, entry["at_most"]), reason)


def _number(file: Path, where: str, value: object) -> float:
    """A number, or a size such as `40 MB` (powers of ten) in bytes."""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value)
    found = _SIZE.fullmatch(str(value).strip())
    if found is None:
        raise _refusal(file, where, f"at_most is {value!r}, which is neither a number nor a size like 40 MB")
    return float(found[1]) * _FACTORS[found[2]]


def _journey(file: Path, where: str, entry: object) -> Journey:
    if not isinstance(entry, dict) or set(entry) != {"service", "operation"}:
        raise _refusal(file, where, "it must have service and operation")
    return Journey(str(entry["service"]), str(entry["operation"]))


def _mapping(file: Path, where: str, value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise _refusal(file, where, "it must be a mapping")
    return value


def _refusal(file: Path, where: str, why: str) -> TopologyError:
    return TopologyError(f"{file.name}: {where} cannot be used", why, "compare it with its neighbours")
