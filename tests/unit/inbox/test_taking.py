"""What the inbox takes, what it refuses, and with which words."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.anyio


async def newest(inbox: httpx.AsyncClient) -> dict[str, Any]:
    """The newest message, with its raw payload."""
    listed = (await inbox.get("/api/v1/messages", params={"limit": 1})).json()["messages"]
    found: dict[str, Any] = (await inbox.get(f"/api/v1/messages/{listed[0]['id']}")).json()
    return found


async def test_webhook_is_kept_with_all_that_it_says(
    inbox: httpx.AsyncClient, webhook: dict[str, Any]
) -> None:
    """Receiver, status, labels, annotations, times and the raw payload can be read back."""
    answer = await inbox.post("/webhook/by-path", json=webhook)
    assert answer.status_code == 200
    message = await newest(inbox)
    assert message["id"] == answer.json()["id"]
    assert message["receiver"] == "ai-factory-critical"
    assert message["channel"] == ""
    assert (message["kind"], message["status"], message["severity"]) == ("webhook", "firing", "critical")
    assert message["alertnames"] == ["JudgmentHighErrorRate"]
    assert message["labels"]["service"] == "judgment"
    assert message["alerts"][0]["starts_at"] == "2026-11-21T10:04:52.123Z"
    assert message["alerts"][0]["fingerprint"] == "ab12cd34ef56ab78"
    assert [link["label"] for link in message["links"]] == ["runbook", "dashboard", "expression"]
    assert message["raw"] == webhook
    assert message["received_at_ns"] / 1e9 == message["received_at"]


async def test_webhook_of_grafana_is_taken_too(inbox: httpx.AsyncClient, webhook: dict[str, Any]) -> None:
    """It is Alertmanager's with a version of its own and a few keys more."""
    extra = {"version": "1", "orgId": 1, "receiver": "grafana-inbox", "title": "x", "state": "alerting"}
    answer = await inbox.post("/webhook/grafana-inbox", json={**webhook, **extra})
    assert answer.status_code == 200
    message = await newest(inbox)
    assert (message["receiver"], message["alertname"]) == ("grafana-inbox", "JudgmentHighErrorRate")


async def test_slack_message_of_alertmanager(inbox: httpx.AsyncClient, slack: dict[str, Any]) -> None:
    """The answer is Slack's "ok"; channel, status, name, severity and links are read from the text."""
    answer = await inbox.post("/slack/elsewhere", json=slack)
    assert (answer.status_code, answer.text) == (200, "ok")
    message = await newest(inbox)
    assert message["channel"] == "platform"
    assert (message["kind"], message["status"], message["severity"]) == ("slack", "firing", "critical")
    assert message["alertname"] == "JudgmentHighErrorRate"
    assert "37%" in message["text"]
    assert {"label": "Runbook", "url": "http://127.0.0.1:8090/runbooks/a/b"} in message["links"]
    assert message["raw"] == slack


@pytest.mark.parametrize(
    ("title", "colour", "told"),
    [
        ("[FIRING:2] HighErrorRate (ecommerce critical)", "danger", ("firing", "HighErrorRate")),
        ("[RESOLVED] HighErrorRate", "good", ("resolved", "HighErrorRate")),
        ("RESOLVED: HighErrorRate", "good", ("resolved", "HighErrorRate")),
        ("FIRING FDSSLAViolation", "", ("firing", "FDSSLAViolation")),
        ("Something burns", "danger", ("firing", None)),
        ("Something is over", "good", ("resolved", None)),
        ("Something", "#abcdef", ("unknown", None)),
    ],
)
async def test_status_and_name_come_from_title_or_colour(
    inbox: httpx.AsyncClient, slack: dict[str, Any], title: str, colour: str, told: tuple[str, str | None]
) -> None:
    """Alertmanager's own title, the stack's title, and the colour alone are understood."""
    slack["attachments"][0] |= {"title": title, "color": colour, "fallback": ""}
    await inbox.post("/slack/platform", json=slack)
    message = await newest(inbox)
    assert (message["status"], message["alertname"]) == told


async def test_channel_of_the_path_and_plain_text(inbox: httpx.AsyncClient) -> None:
    """Without a channel in the payload that of the path counts; a receiver may be given."""
    await inbox.post("/slack/platform?receiver=ops", json={"text": "see <http://a.example/x|here>"})
    message = await newest(inbox)
    assert (message["channel"], message["receiver"], message["status"]) == ("platform", "ops", "unknown")
    assert message["text"] == "see here"
    assert message["links"] == [{"label": "here", "url": "http://a.example/x"}]
    answer = await inbox.post(
        "/slack", json={"channel": "#alone", "blocks": [{"type": "section", "text": {"text": "hi"}}]}
    )
    assert answer.text == "ok"
    assert (await newest(inbox))["channel"] == "alone"


def _block(kind: str, length: int, **more: Any) -> bytes:
    """A payload with one block whose text has `length` characters."""
    block = {"type": kind, "text": {"type": "mrkdwn", "text": "x" * length}, **more}
    return json.dumps({"blocks": [block]}).encode()


@pytest.mark.parametrize(
    ("path", "body", "status", "word"),
    [
        ("/slack/a", b"", 400, "invalid_payload"),
        ("/slack/a", b"payload", 400, "invalid_payload"),
        ("/slack/a", b"[]", 400, "invalid_payload"),
        ("/slack/a", b'{"text": "x", "attachments": {"a": 1}}', 400, "invalid_payload"),
        ("/slack/a", b'{"attachments": ["x"]}', 400, "invalid_payload"),
        ("/slack/a", b'{"text": "x", "n": NaN}', 400, "invalid_payload"),
        ("/slack/a", b'{"text": "x", "n": 1e999}', 400, "invalid_payload"),
        ("/slack/a", b"{}", 400, "no_text"),
        ("/slack/a", b'{"text": "  ", "attachments": []}', 400, "no_text"),
        ("/slack/a", b'{"attachments": [{"color": "good", "footer": "x", "text": " "}]}', 400, "no_text"),
        ("/slack/a", json.dumps({"text": "x" * 40_001}).encode(), 400, "msg_too_long"),
        (
            "/slack/a",
            json.dumps({"attachments": [{"text": "x"}] * 101}).encode(),
            400,
            "too_many_attachments",
        ),
        ("/slack/a", json.dumps({"blocks": [{"type": "divider"}] * 51}).encode(), 400, "invalid_blocks"),
        ("/slack/a", b'{"blocks": [{"type": "letter"}]}', 400, "invalid_blocks"),
        ("/slack/a", b'{"blocks": [{"type": "section"}]}', 400, "invalid_blocks"),
        ("/slack/a", b'{"blocks": [{"type": "header"}]}', 400, "invalid_blocks"),
        ("/slack/a", _block("section", 3_001), 400, "invalid_blocks"),
        ("/slack/a", _block("header", 151), 400, "invalid_blocks"),
        ("/slack/a", _block("section", 1, fields=[{"text": "x"}] * 11), 400, "invalid_blocks"),
        ("/slack/a", _block("section", 1, fields=[{"text": "x" * 2_001}]), 400, "invalid_blocks"),
        ("/slack/a", _block("context", 1, elements=[{}] * 11), 400, "invalid_blocks"),
        ("/slack/a", _block("section", 1, block_id="x" * 256), 400, "invalid_blocks"),
        (
            "/slack/a",
            json.dumps({"attachments": [{"blocks": [{"type": "letter"}]}]}).encode(),
            400,
            "invalid_blocks",
        ),
        (
            "/slack/a",
            json.dumps({"attachments": [{"text": "x", "fields": [{"title": "x"}] * 51}]}).encode(),
            400,
            "invalid_attachments",
        ),
        ("/slack/a", b'{"attachments": [{"text": "x", "fields": "x"}]}', 400, "invalid_attachments"),
        ("/slack/a%20b", b'{"text": "x"}', 404, "channel_not_found"),
        ("/slack", b'{"text": "x"}', 404, "channel_not_found"),
        ("/slack/a", b'{"text": "x", "channel": "no such/channel"}', 404, "channel_not_found"),
        ("/slack/a", b" " * 600_000, 413, "too_large"),
        ("/webhook/a", b"", 400, "not_json"),
        ("/webhook/a", b"[]", 400, "not_json"),
        ("/webhook/a", b"[" * 100_000, 400, "not_json"),
        ("/webhook/a", b'{"version": "3"}', 400, "bad_version"),
        ("/webhook/a", b'{"version": "4", "status": "firing", "alerts": []}', 400, "bad_alerts"),
        ("/webhook/a", b'{"version": "4", "status": "firing", "alerts": [{}]}', 400, "bad_alerts"),
        ("/webhook/a", b'{"version": "4", "status": ["firing"], "alerts": [{}]}', 400, "bad_alerts"),
        (
            "/webhook/a",
            b'{"version": "4", "status": "firing", "alerts": [{"labels": {}, "status": "odd"}]}',
            400,
            "bad_alerts",
        ),
        ("/webhook/a", b" " * 600_000, 413, "too_large"),
    ],
)
async def test_refusals(inbox: httpx.AsyncClient, path: str, body: bytes, status: int, word: str) -> None:
    """Each wrong payload has its status and word; it is counted by reason and nothing is kept."""
    answer = await inbox.post(path, content=body)
    said = answer.text if path.startswith("/slack") else answer.json()["error"]["code"]
    assert (answer.status_code, said) == (status, word)
    assert (await inbox.get("/api/v1/messages")).json() == {"total": 0, "messages": []}
    kind = "slack" if path.startswith("/slack") else "webhook"
    metrics = (await inbox.get("/metrics")).text
    assert f'inbox_messages_refused_total{{kind="{kind}",reason="{word}"}} 1.0' in metrics


async def test_what_alertmanager_writes_for_people_is_read_for_programs(inbox: httpx.AsyncClient) -> None:
    """The footer tells the receiver, fields and words in backticks the labels; Slack's escapes are undone."""
    attachment = {
        "title": "FIRING FDSLatencySLOBurnFast",
        "text": "P95 &lt; 100 ms &amp; more\n`burn=fast` `slo=fds-latency`",
        "footer": "shopfds-critical",
        "fields": [{"title": "System", "value": "shopfds", "short": True}],
    }
    await inbox.post("/slack", json={"channel": "#shopfds-alerts", "attachments": [attachment]})
    message = await newest(inbox)
    assert (message["receiver"], message["channel"]) == ("shopfds-critical", "shopfds-alerts")
    assert message["labels"] == {"burn": "fast", "slo": "fds-latency", "system": "shopfds"}
    assert message["text"].startswith("P95 < 100 ms & more")


async def test_longest_text_is_taken(inbox: httpx.AsyncClient) -> None:
    """40,000 characters are still one message."""
    assert (await inbox.post("/slack/a", json={"text": "x" * 40_000})).text == "ok"


async def test_metrics_of_taken_messages(inbox: httpx.AsyncClient, webhook: dict[str, Any]) -> None:
    """Messages are counted by kind and status, from 0 on, and the number kept is a gauge."""
    metrics = (await inbox.get("/metrics")).text
    assert 'inbox_messages_total{kind="webhook",status="resolved"} 0.0' in metrics
    await inbox.post("/webhook/a", json=webhook)
    metrics = (await inbox.get("/metrics")).text
    assert 'inbox_messages_total{kind="webhook",status="firing"} 1.0' in metrics
    assert "inbox_messages_stored 1.0" in metrics


_KEYS = "text attachments blocks channel fields actions title url version status alerts labels annotations"
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(_KEYS.split()),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    path=st.sampled_from(["/slack", "/slack/a", "/webhook/a"]),
    body=st.binary(max_size=200)
    | _JSON.map(lambda value: json.dumps(value).encode())
    | _JSON.map(
        lambda value: json.dumps(
            {"version": "4", "status": "firing", "alerts": [{"labels": {"a": value}, "status": "firing"}]}
        ).encode()
    ),
)
async def test_no_body_breaks_it(inbox: httpx.AsyncClient, path: str, body: bytes) -> None:
    """Arbitrary bytes never give a 5xx, and whatever was taken can be listed and shown."""
    answer = await inbox.post(path, content=body)
    assert answer.status_code < 500
    assert (await inbox.get("/api/v1/messages", params={"limit": 1})).status_code == 200
    assert (await inbox.get("/")).status_code == 200
