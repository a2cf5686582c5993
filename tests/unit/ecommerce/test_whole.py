"""The whole shop on a real PostgreSQL and Redis, with a peer that answers as fds does."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from limits.gate import RequestLimits
from services.ecommerce.database import connect
from services.ecommerce.seed import PASSWORD
from tests.unit.ecommerce.conftest import Server, free_port
from tests.unit.ecommerce.rig import CHECKOUT, Rig, a_body

APPROVED = {"decision": "approve", "risk_level": "low", "risk_score": 3.0}


@dataclass
class FdsPeer:
    """An HTTP server of a few lines: remembers trace contexts and transactions."""

    answer: dict[str, Any] = field(default_factory=lambda: dict(APPROVED))
    parents: list[str] = field(default_factory=list)
    transactions: list[str] = field(default_factory=list)
    port: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen on a loopback port."""
        server = await asyncio.start_server(self._exchange, "127.0.0.1", self.port)
        async with server:
            yield

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().lower().split("\r\n")
                headers = dict(line.split(": ", 1) for line in lines[1:] if line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                if body:  # not the shop's warming up
                    self.parents.append(headers.get("traceparent", ""))
                    self.transactions.append(json.loads(body)["transaction_id"])
                content = json.dumps(self.answer).encode()
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(content), content))
                await writer.drain()
        except asyncio.IncompleteReadError:
            writer.close()


def a_shop(postgres: Server, redis: Server, port: int, **values: Any) -> Rig:
    """The shop on real peers."""
    return Rig(database_url=postgres.url, redis_url=redis.url, fds_url=f"http://127.0.0.1:{port}", **values)


async def count(postgres: Server, statement: str) -> int:
    """One number of the database."""
    engine = connect(postgres.url)
    async with engine.connect() as connection:
        found = (await connection.execute(sa.text(statement))).scalar_one()
    await engine.dispose()
    return int(found)


def test_fifty_payments_with_one_key_charge_once(postgres: Server, redis: Server) -> None:
    """All get the same answer, over two replicas; the database holds one payment and one order."""
    port = free_port()
    replicas = [a_shop(postgres, redis, port) for _ in range(2)]
    peer = FdsPeer(port=port)

    async def run() -> list[httpx.Response]:
        async with peer.serving(), replicas[0].running() as one, replicas[1].running() as other:
            calls = [(one, other)[number % 2].post(CHECKOUT, json=a_body()) for number in range(50)]
            answers = list(await asyncio.gather(*calls))
            answers.append(await one.post(CHECKOUT, json=a_body()))
            different = await other.post(CHECKOUT, json=a_body(payment_method="bank_transfer"))
            assert (different.status_code, different.json()["error"]["code"]) == (422, "key_reused")
            return answers

    answers = asyncio.run(run())
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.text for answer in answers}) == 1
    assert (
        asyncio.run(count(postgres, "SELECT count(*) FROM shop_payments WHERE idempotency_key = 'k-1'")) == 1
    )
    assert asyncio.run(count(postgres, "SELECT count(*) FROM shop_orders")) == 1
    completed = [rig.value("ecommerce_transactions_total", status="completed") for rig in replicas]
    assert sorted(completed) == [0, 1]  # type: ignore[type-var]  # both are exposed from the start
    assert len(set(peer.transactions)) == 1
    assert len(peer.transactions) <= 2


def test_under_overload_no_accepted_order_is_lost_and_a_repeated_payment_charges_once(
    postgres: Server, redis: Server
) -> None:
    """Eighty at once on four places: most are shed, come again with their keys, and each has paid once."""
    peer = FdsPeer(port=free_port())
    rig = a_shop(postgres, redis, peer.port, requests=RequestLimits(running=4, waiting=4, wait_seconds=0.05))

    async def run() -> tuple[list[httpx.Response], int]:
        shed = 0

        async def bought(client: httpx.AsyncClient, number: int) -> httpx.Response:
            nonlocal shed
            body = a_body(idempotency_key=f"busy-{number}", email=f"u{number}@mail.example")
            while (answer := await client.post(CHECKOUT, json=body)).status_code == 503:
                shed += (
                    answer.json()["error"]["code"] == "overloaded"
                )  # or a slow database, on a busy machine
                await asyncio.sleep(0.01)
            assert (await client.get("/health/live")).status_code == 200
            again = await client.post(CHECKOUT, json=body)
            assert again.status_code == 503 or again.text == answer.text
            return answer

        async with peer.serving(), rig.running() as client:
            return list(await asyncio.gather(*(bought(client, number) for number in range(80)))), shed

    answers, shed = asyncio.run(run())
    assert {answer.status_code for answer in answers} == {201}
    assert shed > 70
    accepted = ", ".join(f"'{answer.json()['order_id']}'" for answer in answers)
    assert asyncio.run(count(postgres, f"SELECT count(*) FROM shop_orders WHERE id IN ({accepted})")) == 80
    paid = "SELECT count(*) FROM shop_payments WHERE idempotency_key LIKE 'busy-%'"
    assert asyncio.run(count(postgres, paid)) == 80
    told = rig.value("ecommerce_errors_total", error_type="overload", endpoint=CHECKOUT)
    assert told is not None
    assert told >= shed
    assert rig.value("retention_rows_deleted_total", table="shop_orders") == 0


def test_a_purchase_is_one_trace_from_the_shop_to_fds(postgres: Server, redis: Server) -> None:
    """W3C context goes with the request; SQL, Redis and HTTP client spans stand below the check-out."""
    peer = FdsPeer(port=free_port())
    rig = a_shop(postgres, redis, peer.port)

    async def run() -> httpx.Response:
        async with peer.serving(), rig.running() as client:
            assert (await client.get("/api/v1/products/p-001")).status_code == 200
            return await client.post(CHECKOUT, json=a_body(idempotency_key="trace"))

    answer = asyncio.run(run())
    trace_id = answer.headers["x-trace-id"]
    assert peer.parents[-1].split("-")[1] == trace_id
    spans = [one for one in rig.exporter.get_finished_spans() if f"{one.context.trace_id:032x}" == trace_id]
    names = {span.name for span in spans}
    for name in ("checkout", "validate", "fds", "charge", "commit"):
        assert f"ecommerce.{name}" in names
    attributes = [dict(span.attributes or {}) for span in spans]
    assert any("db.system.name" in each or "db.system" in each for each in attributes)
    client_spans = [span for span in spans if (span.attributes or {}).get("peer.service") == "127.0.0.1"]
    assert len(client_spans) == 1
    assert not any("kim@mail" in str(each) for each in attributes)


def test_orders_move_to_delivered_and_survive_a_restart(postgres: Server, redis: Server) -> None:
    """A shop that is stopped in the middle goes on where it was; every accepted order arrives."""
    port = free_port()
    ids: list[str] = []

    async def first() -> None:
        rig = a_shop(postgres, redis, port, order_step_seconds=0.6)
        async with FdsPeer(port=port).serving(), rig.running() as client:
            for number in range(12):
                answer = await client.post(CHECKOUT, json=a_body(idempotency_key=f"move-{number}"))
                ids.append(answer.json()["order_id"])

    async def second() -> set[str]:
        rig = a_shop(postgres, redis, port, order_step_seconds=0.1)
        async with rig.running() as client:
            found: set[str] = set()
            for _ in range(200):
                answers = [await client.get(f"/api/v1/orders/{order}/status") for order in ids]
                found = {answer.json()["status"] for answer in answers}
                if found == {"delivered"}:
                    break
                await asyncio.sleep(0.05)
            return found

    asyncio.run(first())
    assert asyncio.run(second()) == {"delivered"}


def test_without_fds_and_redis_a_small_purchase_is_taken(postgres: Server) -> None:
    """Nobody listens on either port; the answer says that fds was away."""
    rig = Rig(
        database_url=postgres.url,
        redis_url=f"redis://127.0.0.1:{free_port()}/0",
        fds_url=f"http://127.0.0.1:{free_port()}",
    )
    answer = rig.answered("POST", CHECKOUT, json=a_body(idempotency_key="alone"))
    assert (answer.status_code, answer.json()["fds_unavailable"]) == (201, True)


def test_a_large_purchase_waits_for_fds_and_is_taken_when_it_is_back(postgres: Server, redis: Server) -> None:
    """Held, not lost: the worker asks again and the order goes on."""
    peer = FdsPeer(port=free_port())
    rig = a_shop(postgres, redis, peer.port)
    body = a_body(idempotency_key="large", items=[{"product_id": "p-021", "quantity": 5}])

    async def run() -> tuple[int, str]:
        async with rig.running() as client:
            held = await client.post(CHECKOUT, json=body)
            due = f"UPDATE shop_payments SET review_at = now() WHERE id = '{held.json()['payment_id']}'"
            engine = connect(postgres.url)
            async with engine.begin() as connection:
                await connection.execute(sa.text(due))
            await engine.dispose()
            async with peer.serving():
                for _ in range(200):
                    path = f"/api/v1/orders/{held.json()['order_id']}/status"
                    status = (await client.get(path)).json()["payment_status"]
                    if status == "completed":
                        break
                    await asyncio.sleep(0.05)
            return held.status_code, status

    assert asyncio.run(run()) == (202, "completed")


def test_a_demo_user_logs_in(postgres: Server, redis: Server) -> None:
    """With the password that the documentation gives."""
    rig = a_shop(postgres, redis, free_port())
    credentials = {"email": "shopper-01@shop.example", "password": PASSWORD}
    answer = rig.answered("POST", "/api/v1/users/login", json=credentials)
    assert answer.status_code == 200


def test_while_the_database_is_frozen_answers_come_in_time(postgres: Server, redis: Server) -> None:
    """503 within two seconds and a half; afterwards the same key buys once."""
    peer = FdsPeer(port=free_port())
    rig = a_shop(postgres, redis, peer.port)
    body = a_body(idempotency_key="frozen")

    async def run() -> tuple[int, float, set[int]]:
        async with peer.serving(), rig.running() as client:
            await client.post(CHECKOUT, json=a_body(idempotency_key="before"))
            loop = asyncio.get_running_loop()
            with postgres.frozen():
                begun = loop.time()
                frozen = await client.post(CHECKOUT, json=body)
                spent = loop.time() - begun
            codes: set[int] = set()
            for _ in range(100):
                answer = await client.post(CHECKOUT, json=body)
                if answer.status_code == 201:
                    codes.add(answer.status_code)
                    break
                await asyncio.sleep(0.05)
            return frozen.status_code, spent, codes

    status, spent, codes = asyncio.run(run())
    assert (status, codes) == (503, {201})
    assert spent < 2.5
    assert (
        asyncio.run(count(postgres, "SELECT count(*) FROM shop_payments WHERE idempotency_key = 'frozen'"))
        == 1
    )


@pytest.mark.parametrize(
    ("fault", "status"), [("pool_exhausted", 503), ("fds_slow", 201), ("cache_off", 201)]
)
def test_faults_break_what_they_say(
    postgres: Server, redis: Server, tmp_path: Path, fault: str, status: int
) -> None:
    """Through the switch, as a drill sets them; the purchase is answered in time."""
    peer = FdsPeer(port=free_port())
    faults = {"FAULTS_ENABLED": "1", "FAULTS_TOKEN": "t", "FAULTS_DIR": str(tmp_path)}
    patience = 0.4 if fault == "fds_slow" else 5.0
    rig = a_shop(postgres, redis, peer.port, faults=faults, fds_timeout_seconds=patience)

    async def run() -> tuple[int, bool]:
        async with peer.serving(), rig.running() as client:
            token = {"Authorization": "Bearer t"}
            assert (await client.put(f"/faults/{fault}", json={}, headers=token)).status_code == 200
            await asyncio.sleep(0.11)
            answer = await client.post(CHECKOUT, json=a_body(idempotency_key=fault))
            assert (await client.get("/api/v1/products/p-002")).status_code in (200, 503)
            return answer.status_code, answer.json().get("fds_unavailable", False)

    assert asyncio.run(run()) == (status, fault == "fds_slow")
    if fault == "pool_exhausted":
        assert rig.value("ecommerce_errors_total", error_type="pool", endpoint=CHECKOUT) == 1
    if fault == "cache_off":
        assert (rig.value("ecommerce_cache_operations_total", operation="get", result="error") or 0) >= 1
