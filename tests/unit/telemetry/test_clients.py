"""Client spans: SQL, Redis and HTTP, and the context that peers receive."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import redis.asyncio
import sqlalchemy
from fastapi import FastAPI
from opentelemetry.trace import SpanKind, StatusCode

from telemetry.app import instrument_engine, instrument_httpx, instrument_redis
from telemetry.clients import uninstrument_clients
from telemetry.traces import span

CUSTOMER = "Kim Minji"  # named, as stack traces repeat source lines
Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Any]


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[int]:
    """A server of a few lines on a free port."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


class Peer:
    """An HTTP peer that remembers the last request's headers."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.headers = dict(line.lower().split(": ", 1) for line in head.split("\r\n")[1:] if ": " in line)
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok")
        await writer.drain()
        writer.close()


async def cache(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A Redis that answers nil to everything it is asked."""
    while line := await reader.readline():
        words = []
        for _ in range(int(line[1:])):
            size = int((await reader.readline())[1:])
            words.append((await reader.readexactly(size + 2))[:-2].upper())
        writer.write({b"CLIENT": b"+OK\r\n", b"HELLO": b"-ERR unknown\r\n"}.get(words[0], b"$-1\r\n"))
        await writer.drain()
    writer.close()


def test_http_peers_receive_trace_context_and_baggage(site: Any) -> None:
    """In the trace and below the span of the request; the query's secrets are masked."""
    instrument_httpx()
    instrument_httpx()
    peer = Peer()
    app: FastAPI = site.app

    @app.get("/ask")
    async def ask() -> str:
        async with serving(peer) as port, httpx.AsyncClient() as client:
            await client.get(f"http://localhost:{port}/v1?token=abc123456")
        return "asked"

    trace_id = site.get("/ask", headers={"baggage": "drill=x"}).headers["x-trace-id"]
    asked, server = (each for each in site.spans() if "ask" not in each.name or each.kind is SpanKind.SERVER)
    assert asked.kind is SpanKind.CLIENT
    assert asked.parent.span_id == server.context.span_id
    assert (
        peer.headers["traceparent"]
        == f"00-{trace_id}-{asked.context.span_id:016x}-0{asked.context.trace_flags}"
    )
    assert peer.headers["baggage"] == "drill=x"
    attributes = dict(asked.attributes)
    assert (attributes["http.request.method"], attributes["http.response.status_code"]) == ("GET", 200)
    assert (attributes["server.address"], attributes["peer.service"]) == ("localhost", "localhost")
    assert attributes["url.full"].endswith("?token=***MASKED***")


def test_an_http_peer_that_is_away_is_a_failed_span(site: Any) -> None:
    """With the kind of error."""
    instrument_httpx()

    async def ask() -> None:
        async with serving(cache) as port:
            pass
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(f"http://127.0.0.1:{port}/")

    with span("outer"):
        asyncio.run(ask())
    failed = site.spans()[0]
    assert (failed.status.status_code, failed.attributes["error.type"]) == (StatusCode.ERROR, "ConnectError")


def test_redis_commands_are_spans_without_their_arguments(site: Any) -> None:
    """Keys and values may be anyone's data."""
    instrument_redis()
    instrument_redis()

    async def ask() -> None:
        async with serving(cache) as port:
            client = redis.asyncio.Redis(port=port, protocol=2)
            await client.get("customer:Kim")
            await client.set("customer:Kim", "secret")
            await client.aclose()

    with span("outer"):
        asyncio.run(ask())
    got, written, _ = site.spans()
    assert (got.name, got.kind, written.name) == ("GET", SpanKind.CLIENT, "SET")
    for each in (got, written):
        assert "Kim" not in each.to_json()
        assert "secret" not in each.to_json()


def test_a_redis_pipeline_has_one_name_whatever_its_length(site: Any) -> None:
    """Names are few: span metrics make a series of each."""
    instrument_redis()

    async def ask() -> None:
        async with serving(cache) as port:
            client = redis.asyncio.Redis(port=port, protocol=2)
            for size in (1, 3):
                async with client.pipeline(transaction=False) as batch:
                    for key in range(size):
                        batch.set(str(key), "value")
                    await batch.execute()
            await client.aclose()

    with span("outer"):
        asyncio.run(ask())
    one, three, _ = site.spans()
    assert one.name == three.name == "PIPELINE SET"
    assert [each.attributes["db.operation.batch.size"] for each in (one, three)] == [1, 3]


class Engine:
    """What telemetry sees of an AsyncEngine; the real one needs a driver and a database."""

    def __init__(self) -> None:
        self.sync_engine = sqlalchemy.create_engine("sqlite://", hide_parameters=True)


def test_sql_statements_are_spans_without_their_parameters(site: Any) -> None:
    """Once each, however often the engine is instrumented; also when they fail."""
    engine = Engine()
    instrument_engine(engine)  # type: ignore[arg-type]
    instrument_engine(engine)  # type: ignore[arg-type]
    with span("outer"), engine.sync_engine.connect() as connection:
        connection.execute(sqlalchemy.text("create table t (name text unique)"))
        for _ in range(2):
            try:
                connection.execute(sqlalchemy.text("insert into t values (:name)"), {"name": CUSTOMER})
            except sqlalchemy.exc.IntegrityError as error:
                with span("handled") as handled:
                    handled.error(error)
    create, insert, failed, _, _ = site.spans()
    assert (create.name.split()[0], insert.name.split()[0], insert.kind) == (
        "create",
        "insert",
        SpanKind.CLIENT,
    )
    assert insert.attributes["db.query.text"] == "insert into t values (?)"
    assert failed.status.status_code is StatusCode.ERROR
    assert "Kim" not in "".join(each.to_json() for each in site.spans())


def test_clients_without_telemetry_work_as_ever() -> None:
    """There is simply no span."""
    engine = Engine()
    instrument_engine(engine)  # type: ignore[arg-type]
    with engine.sync_engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("select 1")).scalar() == 1


def test_uninstrumented_clients_send_no_context_of_ours(site: Any) -> None:
    """Afterwards a request carries the headers that its caller gave it, even inside a trace."""
    instrument_httpx()
    uninstrument_clients()
    peer = Peer()
    app: FastAPI = site.app

    @app.get("/ask-plainly")
    async def ask() -> str:
        async with serving(peer) as port, httpx.AsyncClient() as client:
            await client.get(f"http://127.0.0.1:{port}/", headers={"traceparent": "as-given"})
        return "asked"

    assert site.get("/ask-plainly").status_code == 200
    assert peer.headers["traceparent"] == "as-given"
