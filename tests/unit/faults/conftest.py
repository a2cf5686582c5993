"""Clocks, declared faults and switches that share one folder."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from faults import Fault, Parameter, Switch
from faults.switch import SwitchSettings
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings

FAULTS = (
    Fault(
        "llm_errors",
        "calls of the model fail",
        (
            Parameter("share", 1.0, 0, 1, "", "share of calls"),
            Parameter("count", 3, 1, 9, "calls", "how many"),
            Parameter("model", "any", help="which model"),
        ),
    ),
    Fault("slow_rules", "rules take long", (Parameter("ms", 200.0, 0, 5000, "ms", "added time"),)),
)
TOKEN = "a-token-for-tests"


@dataclass
class Clocks:
    """A wall clock and a monotonic clock that move only when told, both in seconds."""

    wall: float = 1_800_000_000.0
    steady: float = 50.0

    def pass_by(self, seconds: float) -> None:
        """Let time pass on both clocks."""
        self.wall += seconds
        self.steady += seconds


@pytest.fixture
def clocks() -> Clocks:
    """Clocks that stand still."""
    return Clocks()


class Lines:
    """Keeps the log lines that were written."""

    def __init__(self) -> None:
        self.telemetry = Telemetry.start(TelemetrySettings(log_level="DEBUG"), sinks=[self])
        self.written: list[bytes] = []

    def write(self, lines: Sequence[bytes]) -> None:
        """Keep the lines."""
        self.written.extend(lines)

    def close(self) -> None:
        """Nothing is held."""

    def all(self) -> list[dict[str, Any]]:
        """Every line that was logged until now."""
        assert self.telemetry.flush()
        return [json.loads(line) for line in self.written]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log of this test."""
    found = Lines()
    yield found
    found.telemetry.shutdown()


@pytest.fixture
def make_switch(tmp_path: Path, clocks: Clocks) -> Callable[[], Switch]:
    """Makes switches as several workers of one service have them: one each, on the same folder."""

    def make() -> Switch:
        settings = SwitchSettings(token=TOKEN, folder=tmp_path / "faults")
        return Switch(
            "judgment", FAULTS, settings, clock=lambda: clocks.wall, monotonic=lambda: clocks.steady
        )

    return make
