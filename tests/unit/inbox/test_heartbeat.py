"""The heartbeat: when its silence is one, across restarts, and how it is told."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx
import pytest

from services.inbox.heartbeat import FIRST_SECONDS, KEPT_SILENCES, START_SECONDS, Pulse, Silence
from services.inbox.listening import Listener
from services.inbox.signals import Signals
from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings

pytestmark = pytest.mark.anyio
OpenInbox = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


class Clock:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Kept:
    """A store in memory."""

    def __init__(self) -> None:
        self.last: float | None = None
        self.silences: tuple[Silence, ...] = ()

    async def load(self) -> tuple[float | None, tuple[Silence, ...]]:
        """As saved."""
        return self.last, self.silences

    async def save(self, last: float | None, silences: Any) -> None:
        """For the next one who loads."""
        self.last, self.silences = last, tuple(silences)


@pytest.fixture
def clock() -> Clock:
    """At second 1000."""
    return Clock()


@pytest.fixture
def kept() -> Kept:
    """Nothing known yet."""
    return Kept()


def listener(kept: Kept, clock: Clock, telemetry: Telemetry | None = None) -> Listener:
    """One that allows 18 seconds."""
    own = telemetry or Telemetry.start(TelemetrySettings(service="inbox"), sinks=[])
    return Listener(kept, Signals(own.metrics), limit=18.0, clock=clock)


async def test_silence_and_recovery(kept: Kept, clock: Clock) -> None:
    """Longer than the limit without a heartbeat is a silence from the last one on; the next one ends it."""
    ear = listener(kept, clock)
    await ear.beat()
    clock.now += 18
    assert (await ear.pulse()).silences == ()
    assert (await ear.pulse()).alive(clock.now)
    clock.now += 1
    assert (await ear.pulse()).silences == (Silence(1_000.0),)
    assert not (await ear.pulse()).alive(clock.now)
    clock.now += 10
    await ear.beat()
    assert (await ear.pulse()).silences == (Silence(1_000.0, 1_029.0),)
    assert (await ear.pulse()).alive(clock.now)


async def test_a_restart_remembers_and_forgives_its_own_absence(kept: Kept, clock: Clock) -> None:
    """What the inbox could not hear is no silence; a sender that is silent after the start is found out."""
    await listener(kept, clock).beat()
    clock.now += 3_600
    again = listener(kept, clock)
    pulse = await again.pulse()
    assert (pulse.last, pulse.silences, pulse.waits) == (1_000.0, (), True)
    clock.now += START_SECONDS + 1
    assert (await again.pulse()).silences == (Silence(4_600.0),)


async def test_a_silence_lasts_across_a_restart(kept: Kept, clock: Clock) -> None:
    """It stays open, from its own beginning, until a heartbeat comes."""
    before = listener(kept, clock)
    await before.beat()
    clock.now += 20
    await before.pulse()
    clock.now += 50
    after = listener(kept, clock)
    assert (await after.pulse()).open == Silence(1_000.0)
    await after.beat()
    assert (await after.pulse()).silences == (Silence(1_000.0, 1_070.0),)


async def test_the_very_first_may_take_as_long_as_a_build(kept: Kept, clock: Clock) -> None:
    """On a fresh machine the programs are built first; after that it is a silence too."""
    ear = listener(kept, clock)
    clock.now += FIRST_SECONDS
    assert (await ear.pulse()).waits
    clock.now += 1
    assert (await ear.pulse()).open == Silence(1_000.0)


def test_silences_are_bounded() -> None:
    """The oldest give way."""
    pulse = Pulse(limit=1, started=0, last=0)
    for number in range(KEPT_SILENCES + 5):
        pulse = pulse.beaten(number * 10).looked_at(number * 10 + 5)
    assert len(pulse.silences) == KEPT_SILENCES
    assert pulse.silences[0] == Silence(50, 60)


async def test_silence_is_told_in_metrics(kept: Kept, clock: Clock) -> None:
    """When the last one came, 1 while it is silent, and how often it was; no time before the first."""
    telemetry = Telemetry.start(TelemetrySettings(service="inbox"), sinks=[])
    ear = listener(kept, clock, telemetry)

    async def told() -> dict[str, float]:
        await ear.pulse()
        lines = telemetry.metrics.expose(None)[0].decode().splitlines()
        return {
            line.split()[0]: float(line.split()[1]) for line in lines if line.startswith("inbox_heartbeat_")
        }

    assert await told() == {"inbox_heartbeat_silent": 0, "inbox_heartbeat_silences_total": 0}
    await ear.beat()
    assert (await told())["inbox_heartbeat_last_timestamp_seconds"] == 1_000
    clock.now += 20
    told_silent = await told()
    assert (told_silent["inbox_heartbeat_silent"], told_silent["inbox_heartbeat_silences_total"]) == (1, 1)
    await ear.beat()
    assert (await told())["inbox_heartbeat_silent"] == 0


async def test_the_route_counts_what_fires(inbox: httpx.AsyncClient, webhook: dict[str, Any]) -> None:
    """The Watchdog's webhook is a heartbeat and no message; a resolved one and nonsense are not."""
    before = (await inbox.get("/api/heartbeat")).json()
    assert before == {
        "alive": False, "last_at": None, "silent_seconds": None, "limit_seconds": 180.0, "silences": [],
    }  # fmt: skip
    assert "No heartbeat yet" in (await inbox.get("/")).text
    assert (await inbox.post("/heartbeat/heartbeat", content=b"no")).status_code == 400
    resolved = {**webhook, "status": "resolved"}
    assert (await inbox.post("/heartbeat/heartbeat", json=resolved)).json() == {"counted": False}
    assert (await inbox.get("/api/heartbeat")).json()["alive"] is False
    assert (await inbox.post("/heartbeat/heartbeat", json=webhook)).json() == {"counted": True}
    after = (await inbox.get("/api/heartbeat")).json()
    assert after["alive"] is True
    assert 0 <= after["silent_seconds"] < 60
    assert (await inbox.get("/api/v1/messages")).json()["total"] == 0
    assert "Prometheus and Alertmanager are watching" in (await inbox.get("/")).text


async def test_a_restart_keeps_the_heartbeat(open_inbox: OpenInbox, webhook: dict[str, Any]) -> None:
    """In the same file as the messages."""
    async with open_inbox() as inbox:
        await inbox.post("/heartbeat/heartbeat", json=webhook)
        last = (await inbox.get("/api/heartbeat")).json()["last_at"]
    async with open_inbox() as inbox:
        assert (await inbox.get("/api/heartbeat")).json()["last_at"] == last
