"""A file of an incident as it must be, to be bent by the tests."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from console.sandbox.declared import read_incident
from console.sandbox.model import Incident

GOOD: dict[str, Any] = {
    "title": "Something is slow",
    "story": "It is evening.",
    "level": 1,
    "page": "SlowThing",
    "alerts": ["SlowThingBurn"],
    "breaks": [{"service": "fds", "fault": "cti_slow", "parameters": {"milliseconds": [140, 160]}}],
    "traffic": [{"target": "fds", "rate": 4}],
    "begins_after": ["5s", "20s"],
    "limits": {"page": "60s", "solve": "10m", "clear": "2m"},
    "questions": {
        "where": {
            "text": "Where?",
            "choices": [
                {"id": "feed", "text": "The feed", "right": True, "says": "Yes."},
                {"id": "model", "text": "The model", "says": "No."},
                {"id": "redis", "text": "Redis", "says": "No."},
            ],
        },
        "cause": {
            "text": "Why?",
            "choices": [
                {"id": "slow", "text": "It is slow", "right": True, "says": "Yes."},
                {"id": "load", "text": "The load", "says": "No."},
                {"id": "moon", "text": "The moon", "says": "No."},
            ],
        },
        "since": {"text": "Since when?", "tolerance": "20s"},
    },
    "actions": [
        {"id": "spare", "text": "Use the spare feed", "heals": True, "says": "Quick again."},
        {"id": "restart", "text": "Restart fds", "cost": 5, "says": "It did not help."},
        {"id": "wait", "text": "Wait", "says": "It did not help either."},
    ],
    "hints": [{"text": "Look at the board.", "cost": 3}, {"text": "Look at the trace.", "cost": 6}],
    "path": [{"do": "Look.", "why": "To see.", "board": "fds-performance"}],
    "lesson": "Look before you leap.",
}

Write = Callable[[dict[str, Any]], Path]


@pytest.fixture
def good() -> dict[str, Any]:
    """A file's content that is right."""
    return copy.deepcopy(GOOD)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file's content into a slice called fds."""

    def written(content: dict[str, Any]) -> Path:
        file = tmp_path / "services" / "fds" / "incidents" / "slow-thing.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump(content), encoding="utf-8")
        return file

    return written


@pytest.fixture
def incident(good: dict[str, Any], write: Write) -> Incident:
    """That incident."""
    return read_incident(write(good))


@pytest.fixture
def anyio_backend() -> str:
    """What the console runs on."""
    return "asyncio"
