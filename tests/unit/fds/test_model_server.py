"""The model server: asked within its limit, left alone while it fails, and replaced by the own copy."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from services.fds.adapters import ShippedModel
from services.fds.domain import Prediction
from services.fds.model_server import (
    LIMIT_SECONDS,
    MISSES,
    REST_SECONDS,
    BackedScorer,
    ModelServer,
    connect_model,
    meet_model,
)
from services.fds.ports import ModelUnavailableError
from services.fds.signals import DEGRADED, ML_SERVICE_BACK
from telemetry.app import instrument_httpx
from tests.unit.fds.conftest import free_port
from tests.unit.fds.fakes import FakeFeed, FakeScorer, FakeVelocity, a_transaction, run_virtually
from tests.unit.fds.rig import EVALUATE, Rig, a_payment

GOOD = json.dumps({"score": 0.25, "model_version": "gbt-stub", "elapsed_ms": 0.1}).encode()


@dataclass
class Stub:
    """An HTTP server that answers `body` with `status` after `seconds`, or never, or not in HTTP."""

    body: bytes = GOOD
    status: int = 200
    seconds: float = 0.0
    raw: bytes | None = None
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(head.lower())
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                await reader.readexactly(int(length or 0))
                await asyncio.sleep(self.seconds)
                top = f"HTTP/1.1 {self.status} X\r\nContent-Length: {len(self.body)}\r\n\r\n".encode()
                writer.write(self.raw if self.raw is not None else top + self.body)
                await writer.drain()
                if self.raw is not None:
                    break
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[httpx.AsyncClient]:
        """A client of the stub that has met it."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = connect_model(f"http://127.0.0.1:{port}")
        seconds, self.seconds = self.seconds, 0.0
        await meet_model(client)
        self.seconds = seconds
        self.heads.clear()
        try:
            yield client
        finally:
            await client.aclose()
            server.close()


@dataclass
class Told:
    """A witness that remembers."""

    missed: list[str] = field(default_factory=list)
    back: int = 0

    def model_missed(self, error: BaseException) -> None:
        self.missed.append(str(error))

    def model_back(self) -> None:
        self.back += 1


def asked(stub: Stub) -> Prediction:
    """The server's own answer to one transaction."""

    async def run() -> Prediction:
        async with stub.running() as client:
            return await ModelServer(client).predict(a_transaction())

    return asyncio.run(run())


def with_client(url: str, work: Callable[[httpx.AsyncClient], Awaitable[Any]]) -> Any:
    """What `work` gives with a client of `url`."""

    async def run() -> Any:
        async with connect_model(url) as client:
            await meet_model(client)
            return await work(client)

    return asyncio.run(run())


# --- one question ----------------------------------------------------------------------------------


def test_the_server_gets_the_features_by_name_and_its_answer_counts() -> None:
    """Score and version are the server's."""
    stub = Stub()
    assert asked(stub) == Prediction(0.25, "gbt-stub")
    assert stub.heads[0].startswith(b"post /api/v1/ml/score http/1.1")


def test_connections_are_kept() -> None:
    """Ten questions, one connection."""
    stub = Stub()

    async def run() -> None:
        async with stub.running() as client:
            server = ModelServer(client)
            for _ in range(10):
                await server.predict(a_transaction())

    asyncio.run(run())
    assert (len(stub.heads), stub.connections) == (10, 1)


def test_the_trace_goes_on_in_the_server() -> None:
    """The request carries the W3C context of the running evaluation."""
    stub, rig = Stub(), Rig()
    instrument_httpx()

    async def run() -> str:
        async with stub.running() as http:
            rig.served = ModelServer(http)
            async with rig.running() as client:
                answer = await client.post(EVALUATE, json=a_payment())
                return str(answer.json()["trace_id"])

    trace_id = asyncio.run(run())
    assert f"traceparent: 00-{trace_id}-".encode() in stub.heads[0]


@pytest.mark.parametrize(
    ("stub", "why"),
    [
        (Stub(status=503), "HTTP 503"),
        (Stub(status=422), "HTTP 422"),
        (Stub(status=302), "HTTP 302"),
        (Stub(body=b""), "without a score"),
        (Stub(body=b"{"), "without a score"),
        (Stub(body=b"[]"), "without a score"),
        (Stub(body=b"null"), "without a score"),
        (Stub(body=b"\xff\xfe\x00"), "without a score"),
        (Stub(body=b"[" * 4000), "without a score"),
        (Stub(body=b'{"score": 0.5}'), "without a score"),
        (Stub(body=b'{"score": "0.5", "model_version": "a"}'), "no number between 0 and 1"),
        (Stub(body=b'{"score": true, "model_version": "a"}'), "no number between 0 and 1"),
        (Stub(body=b'{"score": NaN, "model_version": "a"}'), "no number between 0 and 1"),
        (Stub(body=b'{"score": 1.5, "model_version": "a"}'), "no number between 0 and 1"),
        (Stub(body=b'{"score": 0.5, "model_version": "a b\\n"}'), "a model version that is none"),
        (Stub(body=b'{"score": 0.5, "model_version": 7}'), "a model version that is none"),
        (Stub(body=b" " * 100_000), "more than 4096 bytes"),
        (Stub(raw=b"SSH-2.0-not-http\r\n"), "RemoteProtocolError"),
        (Stub(raw=b""), "RemoteProtocolError|ReadError"),
        (Stub(seconds=30), "no answer within 50 ms"),
    ],
    ids=lambda value: None if isinstance(value, Stub) else value,
)
def test_whatever_is_no_score_is_refused(stub: Stub, why: str) -> None:
    """By one error, whose text says why; nothing else gets out."""
    with pytest.raises(ModelUnavailableError, match=why):
        asked(stub)


def test_a_server_that_hangs_costs_the_limit_and_no_more() -> None:
    """Cancelling closes the connection at once, although the peer says nothing."""
    stub = Stub(seconds=30)

    async def run() -> float:
        async with stub.running() as client:
            started = time.perf_counter()
            with pytest.raises(ModelUnavailableError):
                await ModelServer(client).predict(a_transaction())
            return time.perf_counter() - started

    assert asyncio.run(run()) < LIMIT_SECONDS + 0.1  # a loaded machine's scheduling included


def test_nobody_there_is_found_out_at_once() -> None:
    """A refused connection does not use up the limit."""

    async def work(client: httpx.AsyncClient) -> str:
        with pytest.raises(ModelUnavailableError) as raised:
            await ModelServer(client).predict(a_transaction())
        return str(raised.value)

    assert "ConnectError" in with_client(f"http://127.0.0.1:{free_port()}", work)


def test_the_first_payment_finds_a_warm_client() -> None:
    """Meeting the server loads the client's code and opens the connection that the payment then uses."""
    stub = Stub()
    asked(stub)
    assert stub.connections == 1


# --- the own copy ----------------------------------------------------------------------------------


def backed(served: FakeScorer, told: Told, clock: Callable[[], float] = lambda: 0.0) -> BackedScorer:
    """A server backed by an own copy that always says 0.9."""
    return BackedScorer(served, FakeScorer(0.9, version="own"), told, clock=clock)


def down() -> FakeScorer:
    """A server that is away."""
    return FakeScorer(ModelUnavailableError("gone"))


def test_the_own_copy_decides_while_the_server_is_away() -> None:
    """The prediction says whose it is and what was missing."""
    told = Told()
    prediction = run_virtually(backed(down(), told).predict(a_transaction()))
    assert prediction == Prediction(0.9, "own", ("ml_service",))
    assert told.missed == ["gone"]


def test_a_server_that_keeps_failing_is_left_alone_and_tried_by_one() -> None:
    """After three failures no evaluation asks for two seconds; then the first asks, and the others do not."""
    served, told, clock = down(), Told(), [0.0]
    scorer = backed(served, told, lambda: clock[0])

    def predict(times: int) -> int:
        for _ in range(times):
            run_virtually(scorer.predict(a_transaction()))
        return served.asked

    assert predict(20) == MISSES
    clock[0] = REST_SECONDS - 0.01
    assert predict(20) == MISSES
    clock[0] = REST_SECONDS + 0.01
    assert predict(20) == MISSES + 1
    assert len(told.missed) == 60
    assert told.missed[-1] == "not asked, because it failed: gone"


def test_a_server_that_is_back_is_asked_by_all_again() -> None:
    """One good answer ends the rest, and it is told once."""
    served, told, clock = down(), Told(), [0.0]
    scorer = backed(served, told, lambda: clock[0])
    for _ in range(5):
        run_virtually(scorer.predict(a_transaction()))
    served.answer, clock[0] = 0.1, REST_SECONDS + 0.01
    found = [run_virtually(scorer.predict(a_transaction())) for _ in range(5)]
    assert found == [Prediction(0.1, "fake-1")] * 5
    assert told.back == 1


def test_single_failures_do_not_make_it_rest() -> None:
    """Only failures in a row count."""
    served, told = FakeScorer(0.1), Told()
    scorer = backed(served, told)
    for answer in (ModelUnavailableError("slow"), 0.1) * 10:
        served.answer = answer
        run_virtually(scorer.predict(a_transaction()))
    assert served.asked == 20
    assert len(told.missed) == 10


def test_while_it_hangs_one_evaluation_in_two_seconds_waits() -> None:
    """Of a hundred at once after the rest, one waits for the server and the others go on at once."""

    async def run() -> list[float]:
        loop = asyncio.get_running_loop()

        class Hanging(FakeScorer):
            async def predict(self, transaction: Any) -> Prediction:
                await asyncio.sleep(LIMIT_SECONDS)
                raise ModelUnavailableError("no answer")

        scorer = BackedScorer(Hanging(), FakeScorer(0.9), Told(), clock=loop.time)

        async def timed() -> float:
            started = loop.time()
            await scorer.predict(a_transaction())
            return loop.time() - started

        for _ in range(MISSES):
            await timed()
        await asyncio.sleep(REST_SECONDS + 0.1)
        return sorted(await asyncio.gather(*(timed() for _ in range(100))))

    waits = run_virtually(run())
    assert waits[:99] == [0.0] * 99
    assert waits[99] == pytest.approx(LIMIT_SECONDS)


# --- the whole service -----------------------------------------------------------------------------


def served_rig(http: httpx.AsyncClient) -> Rig:
    """fds with the real own copy and a server behind `http`."""
    own: Any = ShippedModel()
    return Rig(scorer=own, velocity=FakeVelocity(), feed=FakeFeed(), served=ModelServer(http))


def evaluations(stub: Stub, count: int) -> tuple[Rig, list[dict[str, Any]]]:
    """The service and its answers to `count` payments while the stub is the model server."""

    async def run() -> tuple[Rig, list[dict[str, Any]]]:
        async with stub.running() as http:
            rig = served_rig(http)
            async with rig.running() as client:
                answers = [
                    await client.post(EVALUATE, json=a_payment(transaction_id=f"t-{number}"))
                    for number in range(count)
                ]
            assert {answer.status_code for answer in answers} == {200}
            return rig, [answer.json() for answer in answers]

    return asyncio.run(run())


def test_an_evaluation_by_the_server_names_its_model() -> None:
    """And is not degraded."""
    rig, (answer,) = evaluations(Stub(), 1)
    assert (answer["model_version"], answer["degraded"]) == ("gbt-stub", [])
    assert answer["engines"]["ml"]["score"] == 25
    assert rig.value("fds_degraded_evaluations_total", part="ml_service") == 0


@pytest.mark.parametrize(
    "stub", [Stub(seconds=30), Stub(raw=b"garbage\r\n"), Stub(status=500)], ids=["hung", "garbage", "broken"]
)
def test_with_a_broken_server_every_payment_is_decided_within_its_budget(stub: Stub) -> None:
    """By the own copy; each is counted, and told once in ten seconds."""
    rig, answers = evaluations(stub, 12)
    assert {answer["model_version"] for answer in answers} == {ShippedModel().version}
    assert {tuple(answer["degraded"]) for answer in answers} == {("ml_service",)}
    assert {answer["decision"] for answer in answers} == {"approve"}
    assert sorted(answer["elapsed_ms"] for answer in answers)[8] < 50  # at most three waited
    assert max(answer["elapsed_ms"] for answer in answers) < 100
    assert rig.value("fds_degraded_evaluations_total", part="ml_service") == 12
    assert rig.value("fds_sla_violations_total", engine="ml") == 0
    (line,) = rig.lines(DEGRADED)
    assert (line["part"], line["level"]) == ("ml_service", "WARNING")


def test_a_server_that_comes_back_is_told() -> None:
    """One line, at INFO."""
    stub = Stub(status=500)

    async def run() -> Rig:
        async with stub.running() as http:
            rig = served_rig(http)
            async with rig.running() as client:
                await client.post(EVALUATE, json=a_payment(transaction_id="t-1"))
                stub.status = 200
                answer = await client.post(EVALUATE, json=a_payment(transaction_id="t-2"))
            assert answer.json()["degraded"] == []
            return rig

    assert len(asyncio.run(run()).lines(ML_SERVICE_BACK)) == 1


def test_no_server_set_is_not_degraded() -> None:
    """Without ML_URL the own copy is the model."""

    async def run() -> Any:
        async with Rig().running() as client:
            return (await client.post(EVALUATE, json=a_payment())).json()

    answer = asyncio.run(run())
    assert (answer["model_version"], answer["degraded"]) == ("fake-1", [])
