"""Beyond the limits an answer comes at once, says why and when to come again, and is counted and logged."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from fastapi import FastAPI

from limits.gate import NO_LIMITS, RequestLimits
from limits.shedding import LoadShedding
from telemetry.app import instrument
from tests.unit.limits.observed import Observed, until

ONE = RequestLimits(running=1, waiting=0, wait_seconds=0.05)


@dataclass
class Slow(Observed):
    """A service whose answers wait until they are let go."""

    limits: RequestLimits
    inside: int = 0
    most_inside: int = 0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of it."""
        app = FastAPI()
        app.add_api_route("/api/slow", self.answer)
        app.add_middleware(
            LoadShedding,
            limits=self.limits,
            metrics=self.telemetry.metrics,
            told=lambda scope: self.told.append(scope["path"]),
        )
        instrument(app, self.telemetry)
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://slow") as client:
            yield client
        self.telemetry.shutdown()

    async def answer(self) -> dict[str, bool]:
        """When we are told to."""
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        try:
            await self.go.wait()
        finally:
            self.inside -= 1
        return {"done": True}

    async def taken(self, client: httpx.AsyncClient, count: int = 1) -> "list[asyncio.Task[httpx.Response]]":
        """Requests that are being worked on."""
        tasks = [asyncio.create_task(client.get("/api/slow")) for _ in range(count)]
        await until(lambda: self.inside >= count)
        return tasks


def test_what_is_too_much_gets_a_reason_and_a_time() -> None:
    """503, Retry-After and JSON; counted by reason, and the request's own line says that it was shed."""

    async def run() -> tuple[httpx.Response, Slow]:
        slow = Slow(ONE)
        async with slow.serving() as client:
            (first,) = await slow.taken(client)
            refused = await client.get("/api/slow")
            slow.go.set()
            assert (await first).status_code == 200
            assert (await client.get("/api/slow")).status_code == 200
        return refused, slow

    refused, slow = asyncio.run(run())
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert refused.json()["error"]["code"] == "overloaded"
    assert "try again in 1 s" in refused.json()["error"]["message"]
    assert refused.json()["error"]["request_id"] == refused.headers["x-request-id"]
    assert slow.value("http_requests_shed_total", reason="queue_full") == 1
    assert slow.value("http_requests_shed_total", reason="waited_too_long") == 0
    shed = [line for line in slow.lines() if line.get("shed")]
    assert [(line["shed"], line["level"]) for line in shed] == [("queue_full", "WARNING")]
    assert shed[0]["request_id"] == refused.json()["error"]["request_id"]
    assert slow.told == ["/api/slow"]


def test_no_more_than_the_limit_is_ever_worked_on() -> None:
    """A hundred at once: four inside, eight in the queue, the rest refused; who waited is answered."""

    async def run() -> tuple[list[httpx.Response], Slow]:
        slow = Slow(RequestLimits(running=4, waiting=8, wait_seconds=30))
        async with slow.serving() as client:
            tasks = await slow.taken(client, 4)
            tasks += [asyncio.create_task(client.get("/api/slow")) for _ in range(96)]
            await until(lambda: sum(task.done() for task in tasks) == 88)
            assert slow.value("http_requests_waiting") == 8
            slow.go.set()
            return await asyncio.gather(*tasks), slow

    answers, slow = asyncio.run(run())
    assert sorted(answer.status_code for answer in answers) == [200] * 12 + [503] * 88
    assert slow.most_inside == 4
    assert slow.value("http_requests_waiting") == 0


def test_waiting_too_long_is_told_apart() -> None:
    """One that waited in vain counts as such."""

    async def run() -> tuple[int, Slow]:
        slow = Slow(RequestLimits(running=1, waiting=1, wait_seconds=0.02))
        async with slow.serving() as client:
            (first,) = await slow.taken(client)
            status = (await client.get("/api/slow")).status_code
            slow.go.set()
            await first
        return status, slow

    status, slow = asyncio.run(run())
    assert status == 503
    assert slow.value("http_requests_shed_total", reason="waited_too_long") == 1


def test_health_and_metrics_are_never_shed() -> None:
    """While every place is taken they answer as ever."""

    async def run() -> list[int]:
        slow = Slow(ONE)
        async with slow.serving() as client:
            (first,) = await slow.taken(client)
            found = [
                (await client.get(path)).status_code
                for path in ("/health/live", "/health/ready", "/metrics", "/openapi.json", "/api/slow")
            ]
            slow.go.set()
            await first
        return found

    assert asyncio.run(run()) == [200, 200, 200, 200, 503]


def test_a_client_that_goes_away_frees_its_place() -> None:
    """Whether it was being worked on or waited."""

    async def run() -> None:
        slow = Slow(RequestLimits(running=1, waiting=1, wait_seconds=30))
        async with slow.serving() as client:
            (first,) = await slow.taken(client)
            second = asyncio.create_task(client.get("/api/slow"))
            await until(lambda: slow.value("http_requests_waiting") == 1)
            for gone in (second, first):
                gone.cancel()
            await asyncio.wait([first, second])
            slow.go.set()
            assert (await client.get("/api/slow")).status_code == 200

    asyncio.run(run())


def test_without_a_limit_everything_passes() -> None:
    """A service that names none is as it was."""

    async def run() -> list[int]:
        slow = Slow(NO_LIMITS)
        async with slow.serving() as client:
            tasks = await slow.taken(client, 50)
            slow.go.set()
            return [(await task).status_code for task in tasks]

    assert asyncio.run(run()) == [200] * 50
