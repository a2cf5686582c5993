"""Ends that nobody was told: what they are, how long they are waited for, and what Alertmanager is told."""

from datetime import UTC, datetime

import httpx
import pytest

from console.sources.alertmanager import AlertmanagerSource
from console.sources.http import Answerer, Health
from firedrill.clients import Alertmanager, Refused
from firedrill.untold import Telling, Told, ended, untold

LABELS = {"system": "shopfds", "service": "fds", "severity": "warning"}
FIRES = Told("Slow", LABELS, "firing", 10.0)


def said(status: str, at: float, **labels: str) -> Told:
    """A message of the same alert."""
    return Told("Slow", {**LABELS, **labels}, status, at)


def test_the_last_word_counts() -> None:
    """In whatever order they come."""
    assert untold([FIRES]) == (FIRES,)
    assert not untold([said("resolved", 11.0), FIRES])
    assert untold([said("resolved", 9.0), FIRES]) == (FIRES,)


def test_a_message_of_unknown_kind_says_nothing() -> None:
    """As one of Sentry."""
    assert untold([FIRES, said("unknown", 12.0)]) == (FIRES,)


def test_each_group_has_a_last_word_of_its_own() -> None:
    """One service's end is not another's."""
    assert untold([FIRES, said("resolved", 12.0, service="ecommerce")]) == (FIRES,)


def test_an_end_is_waited_for_then_told_once_then_given_up() -> None:
    """At demo pace: 30 s and 5 s for the way, and twice that for Alertmanager's answer."""
    telling = Telling()
    verdicts = []
    for now in (100.0, 135.0, 135.5, 140.0, 145.5, 146.0):
        telling, verdict = telling.after(missing=True, now=now, group_interval=30.0)
        verdicts.append(verdict)
    assert verdicts == ["wait", "wait", "tell", "wait", "wait", "clear"]
    assert telling.after(missing=False, now=147.0, group_interval=30.0) == (Telling(), "clear")


def test_what_is_told_has_ended_and_keeps_its_labels() -> None:
    """Alertmanager takes an alert without end, or with one to come, for a firing one."""
    [alert] = ended([said("firing", 10.0, component="")], now=5000.0)
    assert alert["labels"] == {**LABELS, "alertname": "Slow"}
    starts, ends = (datetime.fromisoformat(str(alert[name])) for name in ("startsAt", "endsAt"))
    assert starts < ends < datetime.fromtimestamp(5000.0, UTC)


def test_alertmanager_is_told() -> None:
    """And what it refuses is said."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200 if len(asked) == 1 else 400, text="why not")

    alertmanager = Alertmanager("http://a", http=httpx.Client(transport=httpx.MockTransport(answer)))
    alertmanager.end([FIRES], now=5000.0)
    assert (asked[0].method, asked[0].url.path) == ("POST", "/api/v2/alerts")
    assert b'"alertname":"Slow"' in asked[0].content.replace(b" ", b"")
    with pytest.raises(Refused, match="why not"):
        alertmanager.end([FIRES], now=5000.0)


@pytest.mark.anyio
async def test_the_console_tells_it_too() -> None:
    """With the same words."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        source = AlertmanagerSource(Answerer("Alertmanager", "http://a", http=http, health=Health()))
        await source.end([FIRES], now=5000.0)
    assert (asked[0].method, asked[0].url.path) == ("POST", "/api/v2/alerts")


@pytest.fixture
def anyio_backend() -> str:
    """What the console runs on."""
    return "asyncio"
