"""A backend that does not answer is named, others do not wait for it, and its return is noticed."""

import asyncio

import httpx
import pytest

from console.sources import Answerer, Health, SourceDown, SourceRefused
from console.sources.http import REST_SECONDS


class Clock:
    """Time by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Backend:
    """Answers, hangs, refuses the connection, or says 503."""

    def __init__(self) -> None:
        self.mode, self.asked = "answers", 0

    async def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked += 1
        if self.mode == "hangs":
            await asyncio.Event().wait()
        if self.mode == "refuses":
            raise httpx.ConnectError("connection refused", request=request)
        if self.mode == "503":
            return httpx.Response(503, text="starting")
        if self.mode == "400":
            return httpx.Response(400, json={"status": "error", "error": "parse error at char 4"})
        return httpx.Response(200, json={"fine": True})


def made(backend: Backend, clock: Clock, *, seconds: float = 5.0) -> tuple[Answerer, Health]:
    """An answerer for the backend, and the health that it reports to."""
    health = Health(clock)
    http = httpx.AsyncClient(transport=httpx.MockTransport(backend))
    return Answerer("Prometheus", "http://p", http=http, health=health, seconds=seconds, clock=clock), health


def test_refused_connection_is_an_outage_until_it_answers() -> None:
    """The first failure says since when; an answer ends it."""
    backend, clock = Backend(), Clock()
    ask, health = made(backend, clock)

    async def run() -> None:
        backend.mode = "refuses"
        with pytest.raises(SourceDown) as caught:
            await ask.get("/api")
        assert caught.value.name == "Prometheus"
        clock.now += 7
        with pytest.raises(SourceDown):
            await ask.get("/api")
        assert [(one.name, one.since) for one in health.outages] == [("Prometheus", 1000.0)]
        backend.mode = "answers"
        assert await ask.get("/api") == {"fine": True}
        assert health.outages == ()

    asyncio.run(run())


def test_after_a_timeout_others_fail_at_once_for_a_moment() -> None:
    """Ten panels of a hanging backend wait once."""
    backend, clock = Backend(), Clock()
    ask, _ = made(backend, clock, seconds=0.01)

    async def run() -> None:
        backend.mode = "hangs"
        with pytest.raises(SourceDown, match="does not answer"):
            await ask.get("/api")
        with pytest.raises(SourceDown):
            await ask.get("/api")
        assert backend.asked == 1
        clock.now += REST_SECONDS
        backend.mode = "answers"
        assert await ask.get("/api") == {"fine": True}

    asyncio.run(run())


def test_not_ready_is_down_and_a_bad_query_is_not() -> None:
    """503 is an outage; 400 carries the backend's own words and means that it is there."""
    backend, clock = Backend(), Clock()
    ask, health = made(backend, clock)

    async def run() -> None:
        backend.mode = "503"
        with pytest.raises(SourceDown):
            await ask.get("/api")
        assert health.outages
        backend.mode = "400"
        with pytest.raises(SourceRefused) as caught:
            await ask.get("/api")
        assert "parse error at char 4" in caught.value.why
        assert caught.value.status == 400
        assert health.outages == ()

    asyncio.run(run())


def test_looking_notices_what_nobody_asks() -> None:
    """A look finds the outage and its end."""
    backend, clock = Backend(), Clock()
    ask, health = made(backend, clock)

    async def run() -> None:
        backend.mode = "refuses"
        await ask.look()
        assert [one.name for one in health.outages] == ["Prometheus"]
        backend.mode = "answers"
        await ask.look()
        assert health.outages == ()

    asyncio.run(run())
