"""Telemetry that is kept in memory, and a wait without a clock."""

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings

ROUNDS = 100_000


@dataclass
class ListSink:
    """Keeps log lines."""

    kept: list[bytes] = field(default_factory=list)

    def write(self, lines: Sequence[bytes]) -> None:
        self.kept.extend(lines)

    def close(self) -> None:
        """Nothing to let go of."""


class Observed:
    """Started telemetry, and ways to read it."""

    def __init__(self) -> None:
        self._sink = ListSink()
        self.telemetry = Telemetry.start(
            TelemetrySettings(service="tested", system="tests"), sinks=[self._sink]
        )

    def value(self, name: str, **labels: str) -> float | None:
        """A sample as it is exposed."""
        text = self.telemetry.metrics.expose(None)[0].decode()
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name == name and sample.labels == labels:
                    return sample.value
        return None

    def lines(self) -> list[dict[str, Any]]:
        """The log lines."""
        self.telemetry.flush()
        return [json.loads(line) for line in self._sink.kept]


async def until(check: Callable[[], bool]) -> None:
    """Let the others run until `check` holds."""
    for _ in range(ROUNDS):
        if check():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")
