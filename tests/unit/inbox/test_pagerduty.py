"""Events for PagerDuty: what is taken and read of them, and what PagerDuty would refuse."""

import copy
from typing import Any

import httpx
import pytest

pytestmark = pytest.mark.anyio
KEY = "0123456789abcdef0123456789abcdef"
EVENT: dict[str, Any] = {
    "routing_key": KEY,
    "event_action": "trigger",
    "dedup_key": "d" * 64,
    "client": "Firedrill",
    "payload": {
        "summary": "FIRING HighErrorRate",
        "source": "ecommerce",
        "severity": "critical",
        "class": "HighErrorRate",
        "component": "api",
        "group": "shopfds",
        "custom_details": {
            "receiver": "shopfds-critical",
            "labels": '{"alertname":"HighErrorRate","severity":"critical","system":"shopfds","slo":"err"}',
            "description": "Severity: critical\n12 a minute",
        },
    },
    "links": [{"href": "http://127.0.0.1:8090/runbooks/ecommerce/HighErrorRate", "text": "Runbook"}],
}


@pytest.fixture
def event() -> dict[str, Any]:
    """A trigger as Alertmanager sends it; each test may change its own copy."""
    return copy.deepcopy(EVENT)


async def test_a_trigger_is_taken(inbox: httpx.AsyncClient, event: dict[str, Any]) -> None:
    """202 with the dedup_key; receiver and labels from the details, channel empty, link kept."""
    answer = await inbox.post("/v2/enqueue", json=event)
    assert answer.status_code == 202
    assert answer.json() == {"status": "success", "message": "Event processed", "dedup_key": "d" * 64}
    (message,) = (await inbox.get("/api/v1/messages", params={"kind": "pagerduty"})).json()["messages"]
    assert (message["receiver"], message["channel"]) == ("shopfds-critical", "")
    assert (message["status"], message["severity"]) == ("firing", "critical")
    assert message["alertname"] == "HighErrorRate"
    assert (message["labels"]["system"], message["labels"]["slo"]) == ("shopfds", "err")
    assert [link["label"] for link in message["links"]] == ["Runbook"]


async def test_the_routing_key_is_not_kept(inbox: httpx.AsyncClient, event: dict[str, Any]) -> None:
    """It is a secret; neither the API nor a page shows it."""
    await inbox.post("/v2/enqueue", json=event)
    assert KEY not in (await inbox.get("/api/v1/messages/1")).text
    assert KEY not in (await inbox.get("/messages/1")).text


async def test_a_resolve_needs_no_payload(inbox: httpx.AsyncClient) -> None:
    """Key, action and dedup_key are enough, as with PagerDuty."""
    sent = {"routing_key": KEY, "event_action": "resolve", "dedup_key": "x"}
    assert (await inbox.post("/v2/enqueue?receiver=ops", json=sent)).status_code == 202
    message = (await inbox.get("/api/v1/messages/1")).json()
    assert (message["status"], message["receiver"], message["alertname"]) == ("resolved", "ops", None)


async def test_without_details_the_payload_tells_the_labels(
    inbox: httpx.AsyncClient, event: dict[str, Any]
) -> None:
    """Alertmanager drops the details of an event that is too large."""
    event["payload"]["custom_details"] = {"error": "too large"}
    await inbox.post("/v2/enqueue", json=event)
    message = (await inbox.get("/api/v1/messages/1")).json()
    told = {"severity": "critical", "system": "shopfds", "service": "ecommerce", "component": "api"}
    assert message["labels"] == told
    assert (message["alertname"], message["receiver"]) == ("HighErrorRate", "pagerduty")


async def test_a_dedup_key_is_made_when_none_is_given(
    inbox: httpx.AsyncClient, event: dict[str, Any]
) -> None:
    """PagerDuty answers with one of its own."""
    del event["dedup_key"]
    assert len((await inbox.post("/v2/enqueue", json=event)).json()["dedup_key"]) == 32


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"routing_key": None}, "'routing_key' is missing or blank"),
        ({"routing_key": ""}, "'routing_key' is missing or blank"),
        ({"routing_key": "short"}, "Length of 'routing_key' is incorrect (should be 32 characters)"),
        ({"event_action": "fire"}, "'event_action' is invalid"),
        ({"event_action": None}, "'event_action' is invalid"),
        ({"event_action": "resolve", "dedup_key": None}, "'dedup_key' is missing or blank"),
        ({"dedup_key": "d" * 256}, "'dedup_key' is longer than 255 characters"),
        ({"dedup_key": 5}, "'dedup_key' must be a string"),
        ({"payload": None}, "'payload' is missing or blank"),
    ],
)
async def test_events_that_pagerduty_refuses(
    inbox: httpx.AsyncClient, event: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    """400 "invalid event" that says what is wrong; nothing is kept, the refusal is counted."""
    answer = await inbox.post("/v2/enqueue", json={**event, **change})
    assert answer.status_code == 400
    assert answer.json()["status"] == "invalid event"
    assert said in answer.json()["errors"][0]
    assert (await inbox.get("/api/v1/messages")).json()["total"] == 0
    refused = 'inbox_messages_refused_total{kind="pagerduty",reason="invalid_event"} 1.0'
    assert refused in (await inbox.get("/metrics")).text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("summary", "", "'payload.summary' is missing or blank"),
        ("summary", "s" * 1025, "'payload.summary' is longer than 1024 characters"),
        ("source", None, "'payload.source' is missing or blank"),
        ("severity", None, "'payload.severity' is missing or blank"),
        ("severity", "none", "'payload.severity' is invalid"),
    ],
)
async def test_payloads_that_pagerduty_refuses(
    inbox: httpx.AsyncClient, event: dict[str, Any], name: str, value: str | None, said: str
) -> None:
    """The three fields that it needs, the length of one and the words of another."""
    event["payload"][name] = value
    answer = await inbox.post("/v2/enqueue", json=event)
    assert answer.status_code == 400
    assert said in answer.json()["errors"][0]


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"[]", 400), (b"no", 400), (b"[" * 100_000, 400), (b" " * 600_000, 413)]
)
async def test_bodies_that_are_no_event(inbox: httpx.AsyncClient, body: bytes, status: int) -> None:
    """No JSON, no object, too large."""
    assert (await inbox.post("/v2/enqueue", content=body)).status_code == status


async def test_the_limits_themselves_are_taken(inbox: httpx.AsyncClient, event: dict[str, Any]) -> None:
    """1024 characters of summary and 255 of dedup_key."""
    event["payload"]["summary"], event["dedup_key"] = "s" * 1024, "d" * 255
    assert (await inbox.post("/v2/enqueue", json=event)).status_code == 202
