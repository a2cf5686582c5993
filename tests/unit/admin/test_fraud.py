"""fds over HTTP: what it answers, what it may not answer, and the faults."""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest

from faults import Dice
from services.admin.faults import FAULTS, FaultyFraudService, FaultyStore
from services.admin.fraud import FraudClient
from services.admin.ports import FdsUnavailableError
from services.admin.settings import from_environment
from tests.unit.admin.fakes import START, FakeFds, FakeSwitch, SilentStore

Answer = Callable[[httpx.Request], httpx.Response]


def asked(answer: Answer, *, label: bool = False, limit_seconds: float = 2.0) -> Any:
    """What the client makes of an answer."""

    async def run() -> Any:
        transport = httpx.MockTransport(answer)
        async with httpx.AsyncClient(transport=transport, base_url="http://fds") as http:
            client = FraudClient(http, limit_seconds=limit_seconds)
            if label:
                return await client.label("t-1", "fraud")
            return await client.cases("hold", limit=7, since=START)

    return asyncio.run(run())


def an_evaluation(**values: Any) -> dict[str, Any]:
    """As fds lists it."""
    return {
        "transaction_id": "t-1", "decision": "hold", "risk_score": 71.5, "factors": ["amount_high"],
        "request": {"user_id": "kim@shop.example", "ip": "192.0.2.1", "amount": 1e6, "country": "US"},
        "created_at": (START + timedelta(seconds=1)).isoformat(), "label": None, **values,
    }  # fmt: skip


def listing(*evaluations: Any) -> Answer:
    """fds with these evaluations."""
    return lambda _: httpx.Response(200, json={"evaluations": list(evaluations)})


def test_a_page_of_cases_is_asked_for_and_read() -> None:
    """Without name and address: a verdict does not need them."""
    seen: list[httpx.URL] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json={"evaluations": [an_evaluation()]})

    (case,) = asked(answer)
    assert dict(seen[0].params) == {
        "decision": "hold", "unlabelled": "true", "limit": "7", "since": START.isoformat(),
    }  # fmt: skip
    assert (case.transaction_id, case.kind, case.risk_score) == ("t-1", "held", 71.5)
    assert case.facts == {"amount": 1e6, "country": "US"}
    assert case.evaluated_at == START + timedelta(seconds=1)


@pytest.mark.parametrize(
    "values",
    [
        {"transaction_id": "a b"}, {"transaction_id": 7}, {"transaction_id": "t-1\n"}, {"decision": "other"},
        {"risk_score": "high"}, {"risk_score": float("1e3")}, {"created_at": "2026-11-21"},
        {"created_at": "yesterday"}, {"request": None}, {"factors": None},
    ],
)  # fmt: skip
def test_an_evaluation_that_makes_no_sense_is_left_out(values: dict[str, Any]) -> None:
    """The others on its page count."""
    cases = asked(listing(an_evaluation(**values), an_evaluation(transaction_id="t-2"), None, 7))
    assert [case.transaction_id for case in cases] == ["t-2"]


def test_what_a_database_cannot_hold_is_left_out_of_a_case() -> None:
    """One bad value must not stop the intake for good."""
    odd = {"amount": float("inf"), "country": "K\x00", "shipping_country": {"a": 1}, "items_count": 2}
    body = json.dumps({"evaluations": [an_evaluation(request=odd, factors=["ok", "\x00", 7.0, None])]})
    (case,) = asked(lambda _: httpx.Response(200, text=body))
    assert case.facts == {"items_count": 2}
    assert case.factors[0] == "ok"
    assert "\x00" not in case.factors


@pytest.mark.parametrize(
    "answer",
    [
        lambda _: httpx.Response(503), lambda _: httpx.Response(500), lambda _: httpx.Response(422),
        lambda _: httpx.Response(200, text="{"), lambda _: httpx.Response(200, text="[]"),
        lambda _: httpx.Response(200, text='{"evaluations": 7}'),
        lambda _: httpx.Response(200, text="[" * 9999),
        lambda _: httpx.Response(200, content=b" " * 5_000_000),
    ],
    ids=range(8),
)  # fmt: skip
def test_a_page_that_makes_no_sense_is_an_error(answer: Answer) -> None:
    """Never an empty page: that would look as if there were no cases."""
    with pytest.raises(FdsUnavailableError):
        asked(answer)


@pytest.mark.parametrize(
    ("status", "result"),
    [(200, "delivered"), (404, "unknown"), (409, "conflict"), (422, "refused"), (413, "refused")],
)
def test_final_answers_end_a_delivery(status: int, result: str) -> None:
    """Sending again would change nothing."""
    assert asked(lambda _: httpx.Response(status, json={}), label=True) == result


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, 302])
def test_other_answers_are_tried_again(status: int) -> None:
    """As is no answer at all."""
    with pytest.raises(FdsUnavailableError, match=str(status)):
        asked(lambda _: httpx.Response(status), label=True)


def test_no_connection_and_no_answer_are_one_error() -> None:
    """Refused at once, and hanging until the limit."""

    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    async def hang(_: httpx.Request) -> httpx.Response:
        await asyncio.sleep(30)
        return httpx.Response(200)

    for answer in (refuse, hang):
        with pytest.raises(FdsUnavailableError):
            asked(answer, label=True, limit_seconds=0.05)  # type: ignore[arg-type]


def test_faults_of_fds() -> None:
    """Down refuses; slow delays and fails from the limit on, without waiting longer."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run(switch: FakeSwitch) -> Any:
        service = FaultyFraudService(FakeFds(), switch, Dice(switch, 7), limit_seconds=3, sleep=sleep)
        return await service.label("t-1", "fraud")

    assert asyncio.run(run(FakeSwitch())) == "delivered"
    assert asyncio.run(run(FakeSwitch({"fds_slow": {"seconds": 1.0}}))) == "delivered"
    for faults in ({"fds_down": {}}, {"fds_slow": {"seconds": 20.0}}):
        with pytest.raises(FdsUnavailableError):
            asyncio.run(run(FakeSwitch(faults)))
    assert slept == [1.0, 3.0]


def test_database_slow_delays_requests_and_not_the_worker() -> None:
    """What waits is still counted and delivered."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async def run() -> None:
        store = FaultyStore(
            SilentStore(down=True), FakeSwitch({"database_slow": {"seconds": 2.0}}), sleep=sleep
        )
        for call in (
            store.queue(kind=None, limit=1),
            store.overview(),
            store.claim(limit=1, lease_seconds=1),
        ):
            with pytest.raises(Exception, match="down"):
                await call

    asyncio.run(run())
    assert slept == [2.0]


def test_faults_say_what_they_do() -> None:
    """Each has a help text, and each parameter bounds."""
    for fault in FAULTS:
        assert fault.help
        assert all(p.minimum is not None and p.maximum is not None for p in fault.parameters)


def test_settings_come_from_the_environment_once() -> None:
    """With advice where one cannot be used, and without secrets in their text."""
    settings = from_environment(
        {"DATABASE_URL": "postgresql+asyncpg://u:secret@h/d", "FDS_URL": "http://fds:8001/"}
    )
    assert (settings.fds_url, settings.seed, settings.telemetry.service) == ("http://fds:8001", 7, "admin")
    assert "secret" not in repr(settings)
    for environ in ({"FDS_URL": "fds:8001"}, {"SEED": "x"}, {"FDS_URL": "http://fds:99999"}):
        with pytest.raises(ValueError, match="correct it"):
            from_environment(environ)
