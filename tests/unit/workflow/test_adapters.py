"""Judgment over HTTP and the simulated partners, the faults around them, and the settings."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx
import pytest

from faults import Dice
from services.workflow.adapters import HttpJudgment, SimulatedPartners, judgment_client
from services.workflow.breaker import Breaker, Limits
from services.workflow.catalogue import WORKFLOWS
from services.workflow.domain import Instance, PeerFailedError, Status
from services.workflow.faults import FAULTS, FaultyBreaker, FaultyDatabase, FaultyPeer
from services.workflow.ports import Task
from services.workflow.settings import Settings, SettingsError
from tests.unit.workflow.fakes import START, Clock, FakeLedger, FakePeer, FakeSwitch

pytestmark = pytest.mark.anyio
CASE = {field.name: field.default for field in WORKFLOWS["order-to-cash"].fields}
INSTANCE = Instance(
    "5c9b3a0e-4f0e-4a30-9f3b-2f7a6c1d0e11", "acme", "order-to-cash", Status.RUNNING, CASE, START, START
)
NODES = {node.id: node for node in WORKFLOWS["order-to-cash"].nodes}
SAID = {"execution_id": "e-1", "result": {"status": "review"}, "confidence": 0.5, "method_used": "rule"}


def task(node_id: str, attempt: int = 1, instance: Instance = INSTANCE) -> Task:
    """An attempt of a node."""
    return Task(instance, NODES[node_id], attempt, instance.key(node_id))


@dataclass
class Judgment:
    """Judgment as httpx sees it: gives one answer, and keeps what it was sent."""

    answer: Callable[[], httpx.Response] = lambda: httpx.Response(200, json=SAID)
    sent: list[httpx.Request] = field(default_factory=list)

    def peer(self) -> HttpJudgment:
        """The adapter in front of it."""

        def take(request: httpx.Request) -> httpx.Response:
            self.sent.append(request)
            return self.answer()

        client = httpx.AsyncClient(transport=httpx.MockTransport(take), base_url="http://judgment")
        return HttpJudgment(client)


async def test_judgment_is_asked_with_the_fields_of_the_node() -> None:
    """Tenant, workflow, policy, and the key that is the same at every attempt."""
    judgment = Judgment()
    result = await judgment.peer().perform(task("credit-check"))
    assert result == {"verdict": "review", "confidence": 0.5, "method": "rule", "execution_id": "e-1"}
    (sent,) = judgment.sent
    body = json.loads(sent.content)
    assert (body["tenant_id"], body["workflow_id"], body["policy"]) == ("acme", "credit-check", "hybrid")
    assert set(body["input"]) == {"score", "debt_ratio", "requested", "employment"}
    assert sent.headers["idempotency-key"] == INSTANCE.key("credit-check")


@pytest.mark.parametrize(
    ("answer", "retry", "healthy"),
    [
        (httpx.Response(503, json={}), True, False),
        (httpx.Response(500), True, False),
        (httpx.Response(429), True, False),
        (httpx.Response(422, json={}), False, True),
        (httpx.Response(404), False, True),
        (httpx.Response(200, text="<html>"), True, False),
        (httpx.Response(200, json=[]), True, False),
        (httpx.Response(200, json={**SAID, "result": None}), True, False),
        (httpx.Response(200, json={**SAID, "result": {"status": "\x00"}}), True, False),
        (httpx.Response(200, json={**SAID, "confidence": 7}), True, False),
    ],
)
async def test_what_judgment_cannot_do_is_told_apart(
    answer: httpx.Response, retry: bool, healthy: bool
) -> None:
    """What may be tried again, and what says nothing against the peer."""
    with pytest.raises(PeerFailedError) as failed:
        await Judgment(lambda: answer).peer().perform(task("credit-check"))
    assert (failed.value.retry, failed.value.healthy) == (retry, healthy)


async def test_nobody_listening_is_a_failure_without_an_address(nobody_listens: int) -> None:
    """Only its kind is told."""
    async with judgment_client(f"http://127.0.0.1:{nobody_listens}", timeout_seconds=1.0) as client:
        with pytest.raises(PeerFailedError, match=r"^judgment: ConnectError$"):
            await HttpJudgment(client).perform(task("credit-check"))


async def test_what_does_not_fit_is_left_out() -> None:
    """A long or unprintable text of the peer never reaches the database."""
    said = {**SAID, "execution_id": "x" * 65, "method_used": "a\x00"}
    result = await Judgment(lambda: httpx.Response(200, json=said)).peer().perform(task("credit-check"))
    assert set(result) == {"verdict", "confidence"}


async def test_partners_are_the_same_under_the_same_seed() -> None:
    """Latency and fate come from seed, key and attempt."""
    clocks = [Clock(), Clock(), Clock()]
    for clock, seed in zip(clocks, (7, 7, 8), strict=True):
        partners = SimulatedPartners(seed, FakeLedger(), pause=clock.nap)
        for attempt in range(1, 20):
            try:
                await partners.perform(task("send-invoice", attempt))
            except PeerFailedError:
                clock.naps.append(-1)
    assert clocks[0].naps == clocks[1].naps != clocks[2].naps


async def test_a_partner_may_have_done_it_and_still_not_answer() -> None:
    """Both kinds of failure occur, and however often it is tried there is one entry a key."""
    ledger = FakeLedger()
    partners = SimulatedPartners(7, ledger, pause=Clock().nap)
    failures = []
    for attempt in range(1, 1500):
        try:
            await partners.perform(task("send-invoice", attempt))
        except PeerFailedError as error:
            failures.append(error.reason)
    assert {"billing was not there", "billing's answer was lost"} == set(failures)
    assert 5 <= len(failures) <= 30
    assert list(ledger.kept) == [INSTANCE.key("send-invoice")]


async def test_judgment_down_and_call_slow() -> None:
    """The one refuses and may be tried again, the other takes its time."""
    switch, clock = FakeSwitch({"judgment_down": {}, "call_slow": {"seconds": 2.0}}), Clock()
    dice = Dice(switch, 7)
    with pytest.raises(PeerFailedError, match="judgment_down") as failed:
        await FaultyPeer(FakePeer(), dice, switch, fault="judgment_down").perform(task("credit-check"))
    assert failed.value.retry
    await FaultyPeer(FakePeer(), dice, switch, fault="call_slow", pause=clock.nap).perform(task("ship-order"))
    assert clock.naps == [2.0]


@pytest.mark.parametrize(("node_id", "held"), [("credit-check", True), ("all", True), ("other", False)])
def test_breaker_trip_holds_the_named_breaker_open(node_id: str, held: bool) -> None:
    """And lets it close again a cool-down after the fault is gone."""
    switch, clock = FakeSwitch({"breaker_trip": {"node_id": node_id}}), Clock()
    breaker = Breaker("credit-check", Limits(), clock=clock, moved=lambda _: None)
    faulty = FaultyBreaker(breaker, "credit-check", switch)
    assert (faulty.admit() is None) is held
    switch.set.clear()
    clock.seconds = 10
    ticket = faulty.admit()
    assert ticket is not None
    faulty.abandoned(ticket)
    again = faulty.admit()
    assert again is not None
    faulty.succeeded(again)
    faulty.failed(again, "late")


async def test_database_slow_comes_before_the_work() -> None:
    """So that nothing is committed of what is given up meanwhile."""
    clock = Clock()

    class Database:
        async def transaction(self, work: object) -> object:
            return work

    slow = FaultyDatabase(Database(), FakeSwitch({"database_slow": {"seconds": 0.5}}), pause=clock.nap)  # type: ignore[arg-type]
    await slow.transaction(lambda connection: connection.execute)  # type: ignore[arg-type,return-value]
    assert clock.naps == [0.5]


def test_the_faults_are_those_that_were_promised() -> None:
    """Drills name them."""
    named = {"node_failures", "judgment_down", "breaker_trip", "database_slow", "call_slow"}
    assert {fault.name for fault in FAULTS} == named


GOOD = {"DATABASE_URL": "postgresql+asyncpg://u:hidden@h/x", "JUDGMENT_URL": "http://judgment:8010/"}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://x"}, "DATABASE_URL"),
        ({"JUDGMENT_URL": "judgment:8010"}, "JUDGMENT_URL"),
        ({"JUDGMENT_URL": "http://"}, "JUDGMENT_URL"),
        ({"SEED": "x"}, "SEED"),
        ({"MAX_RUNNING": "0"}, "MAX_RUNNING"),
        ({"LEASE_SECONDS": "nan"}, "LEASE_SECONDS"),
    ],
)
def test_a_wrong_setting_is_named(changes: dict[str, str], named: str) -> None:
    """The error says which one and what to do, and shows no password."""
    with pytest.raises(SettingsError, match=named) as refused:
        Settings.from_environment({**GOOD, **changes})
    assert "hidden" not in str(refused.value)


def test_settings_show_no_password() -> None:
    """Neither by their repr; a final slash of a URL does no harm."""
    settings = Settings.from_environment(GOOD)
    assert "hidden" not in repr(settings)
    assert settings.judgment_url == "http://judgment:8010"
