"""Which of Sentry's envelopes the inbox takes, what it keeps of them, and what it refuses as Sentry would."""

import gzip
import json
import zlib
from typing import Any

import brotli
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.inbox.envelope import LARGEST_EVENT_BYTES, LARGEST_UNPACKED_BYTES, MOST_ITEMS
from tests.unit.inbox.conftest import OpenInbox

pytestmark = pytest.mark.anyio

KEY = "0123456789abcdef0123456789abcdef"
AUTH = {"X-Sentry-Auth": f"Sentry sentry_key={KEY}, sentry_version=7, sentry_client=test/1"}
PATH = "/sentry/api/1/envelope/"
EVENT: dict[str, Any] = {
    "event_id": "fc6d8c0c43fc4630ad850ee518f1b9d0",
    "level": "error",
    "release": "fds@1.0",
    "environment": "development",
    "transaction": "/api/v1/evaluate",
    "tags": {"service": "fds", "engine": "ml"},
    "user": {"id": "81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9"},
    "contexts": {
        "trace": {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "span_id": "00f067aa0ba902b7", "op": "x"},
        "payment": {"transaction_id": "tx-1", "risk_score": 91.5},
    },
    "exception": {
        "values": [
            {"type": "OSError", "value": "no route"},
            {
                "type": "RuntimeError",
                "value": "the model failed",
                "stacktrace": {"frames": [{"filename": "a.py", "lineno": 7, "function": "score"}]},
            },
        ]
    },
}


def item(kind: str, payload: bytes, **head: Any) -> bytes:
    """One item with its length, as SDKs write it."""
    return json.dumps({"type": kind, "length": len(payload), **head}).encode() + b"\n" + payload + b"\n"


def envelope(*items: bytes, **head: Any) -> bytes:
    """An envelope of these items."""
    return json.dumps(head).encode() + b"\n" + b"".join(items)


def of(event: Any) -> bytes:
    """An envelope with one event."""
    return envelope(item("event", json.dumps(event).encode()))


async def kept(inbox: httpx.AsyncClient, **wanted: Any) -> list[dict[str, Any]]:
    """The messages that match."""
    found: list[dict[str, Any]] = (await inbox.get("/api/v1/messages", params=wanted)).json()["messages"]
    return found


async def counted(inbox: httpx.AsyncClient, name: str) -> float:
    """The value of one series."""
    lines = (await inbox.get("/metrics")).text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " "))


@pytest.mark.parametrize("path", ["/sentry/api/1/envelope/", "/api/1/envelope/"])
async def test_event_is_kept_with_all_that_it_says(inbox: httpx.AsyncClient, path: str) -> None:
    """Level, title, stack, labels to search by and the payload as it came; the answer is its id."""
    answer = await inbox.post(path, content=of(EVENT), headers=AUTH)
    assert (answer.status_code, answer.json()) == (200, {"id": EVENT["event_id"]})
    (message,) = await kept(inbox, kind="sentry")
    assert (message["kind"], message["receiver"], message["status"]) == ("sentry", "sentry-1", "unknown")
    assert (message["severity"], message["title"]) == ("error", "RuntimeError: the model failed")
    assert message["text"].splitlines()[1].strip() == "a.py:7 score"
    assert message["alertname"] is None
    assert message["labels"] == {
        "service": "fds",
        "level": "error",
        "engine": "ml",
        "transaction_id": "tx-1",
        "risk_score": "91.5",
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "span_id": "00f067aa0ba902b7",
        "release": "fds@1.0",
        "environment": "development",
        "transaction": "/api/v1/evaluate",
        "event_id": EVENT["event_id"],
        "user_id": EVENT["user"]["id"],
    }
    assert (await inbox.get(f"/api/v1/messages/{message['id']}")).json()["raw"] == EVENT
    page = (await inbox.get("/")).text
    assert "EVENT · error" in page
    assert "RuntimeError: the model failed" in page
    assert "the model failed" in (await inbox.get("/", params={"kind": "sentry"})).text
    assert await kept(inbox, kind="webhook") == []


@pytest.mark.parametrize(
    ("event", "title", "level"),
    [
        ({"message": "plain"}, "plain", "error"),
        ({"message": {"formatted": "old form"}, "level": "warning"}, "old form", "warning"),
        ({"logentry": {"message": "%s is late", "formatted": "ml is late"}}, "ml is late", "error"),
        ({"exception": [{"type": "ValueError"}], "level": "fatal"}, "ValueError", "fatal"),
        ({"tags": [["engine", "cti"]], "exception": {"values": None}}, "event", "error"),
        ({}, "event", "error"),
    ],
)
async def test_forms_of_events(inbox: httpx.AsyncClient, event: Any, title: str, level: str) -> None:
    """Messages and exceptions of older and newer SDKs."""
    assert (await inbox.post(PATH, content=of(event), headers=AUTH)).status_code == 200
    (message,) = await kept(inbox)
    assert (message["title"], message["severity"]) == (title, level)
    assert message["labels"].get("engine") == ("cti" if "tags" in event else None)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("deflate", zlib.compress),
        ("br", brotli.compress),
        ("identity", bytes),
        ("GZIP", gzip.compress),
    ],
)
async def test_packed_bodies(inbox: httpx.AsyncClient, encoding: str, pack: Any) -> None:
    """Whatever sentry-sdk may choose."""
    headers = {**AUTH, "Content-Encoding": encoding}
    assert (await inbox.post(PATH, content=pack(of(EVENT)), headers=headers)).status_code == 200
    assert len(await kept(inbox, kind="sentry")) == 1


async def test_other_items_are_counted_and_not_kept(inbox: httpx.AsyncClient) -> None:
    """Transactions, sessions, reports of losses, and types that do not exist yet."""
    body = envelope(
        item("transaction", b'{"type": "transaction", "transaction": "x"}'),
        item("sessions", b"{}"),
        item("client_report", b'{"discarded_events": []}'),
        item("from_the_future", b"\n\n\x00\xff"),
        b'{"type": "session"}\n{"without": "a length"}\n\n',
        event_id="aa" * 16,
    )
    answer = await inbox.post(PATH, content=body, headers=AUTH)
    assert (answer.status_code, answer.json()) == (200, {"id": "aa" * 16})
    assert await kept(inbox) == []
    for kind in ("transaction", "sessions", "client_report", "session", "other"):
        assert await counted(inbox, f'inbox_sentry_items_total{{type="{kind}"}}') == 1
    assert (await inbox.post(PATH, content=b"{}", headers=AUTH)).json() == {}


@pytest.mark.parametrize(
    ("headers", "query", "status", "word"),
    [
        ({}, "", 401, "missing_auth"),
        ({"X-Sentry-Auth": ""}, "", 401, "missing_auth"),
        ({"X-Sentry-Auth": "Basic abc"}, "", 401, "missing_auth"),
        ({"X-Sentry-Auth": "Sentry sentry_version=7"}, "", 401, "missing_auth"),
        (AUTH, f"?sentry_key={KEY}", 401, "missing_auth"),
        ({"X-Sentry-Auth": "Sentry sentry_key=short"}, "", 400, "bad_key"),
        ({"X-Sentry-Auth": f"Sentry sentry_key={KEY}, sentry_version=99"}, "", 400, "bad_version"),
        (AUTH, "", 200, ""),
        ({"Authorization": AUTH["X-Sentry-Auth"]}, "", 200, ""),
        ({}, f"?sentry_key={KEY}&sentry_version=7", 200, ""),
    ],
)
async def test_the_key_is_asked_for(
    inbox: httpx.AsyncClient, headers: dict[str, str], query: str, status: int, word: str
) -> None:
    """A DSN's public key in one of the three places where Sentry looks, and in one only."""
    answer = await inbox.post(PATH + query, content=of(EVENT), headers=headers)
    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code", "") == word
    assert len(await kept(inbox)) == (status == 200)


PLAIN = "identity"


@pytest.mark.parametrize(
    ("path", "encoding", "body", "refused"),
    [
        (PATH, PLAIN, b"", (400, "bad_envelope")),
        (PATH, PLAIN, b"[]", (400, "bad_envelope")),
        (PATH, PLAIN, b"{}\n[]\n{}", (400, "bad_envelope")),
        (PATH, PLAIN, b"{}\n{}\n{}", (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": 7}\n{}', (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": "event"}\nnot JSON', (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": "event"}\n{"level": "loud"}', (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": "event", "length": 99}\n{}', (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": "event", "length": 1}\n{}', (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": "event", "length": -1}\n{}', (400, "bad_envelope")),
        (PATH, PLAIN, b'{}\n{"type": "event", "length": true}\n{}', (400, "bad_envelope")),
        (PATH, PLAIN, envelope(item("event", b"{}"), item("event", b"{}")), (400, "bad_envelope")),
        (PATH, PLAIN, envelope(*[item("session", b"{}")] * (MOST_ITEMS + 1)), (400, "bad_envelope")),
        (PATH, PLAIN, b'{"dsn": "javascript:alert(1)"}\n', (400, "bad_envelope")),
        (PATH, PLAIN, b" " * 600_000, (413, "too_large")),
        (PATH, "gzip", gzip.compress(bytes(LARGEST_UNPACKED_BYTES + 1)), (413, "too_large")),
        (PATH, "deflate", zlib.compress(bytes(100_000_000)), (413, "too_large")),
        (PATH, "br", brotli.compress(bytes(LARGEST_UNPACKED_BYTES * 20), quality=1), (413, "too_large")),
        (PATH, "gzip", gzip.compress(of({"x": "y" * LARGEST_EVENT_BYTES})), (413, "too_large")),
        (PATH, "gzip", b"not gzip", (400, "bad_encoding")),
        (PATH, "gzip", gzip.compress(of(EVENT))[:-20], (400, "bad_encoding")),
        (PATH, "br", b"\xff" * 50, (400, "bad_encoding")),
        (PATH, "br", brotli.compress(of(EVENT))[:-20], (400, "bad_encoding")),
        (PATH, "zstd", b"x", (400, "bad_encoding")),
        ("/sentry/api/one/envelope/", PLAIN, b"{}", (400, "bad_project")),
        ("/api/-1/envelope/", PLAIN, b"{}", (400, "bad_project")),
    ],
)
async def test_refusals(
    inbox: httpx.AsyncClient, path: str, encoding: str, body: bytes, refused: tuple[int, str]
) -> None:
    """Each wrong envelope has its status and word, is counted by reason, and leaves nothing behind."""
    answer = await inbox.post(path, content=body, headers={**AUTH, "Content-Encoding": encoding})
    assert (answer.status_code, answer.json()["error"]["code"]) == refused
    assert answer.json()["error"]["message"]
    assert await kept(inbox) == []
    assert await counted(inbox, f'inbox_messages_refused_total{{kind="sentry",reason="{refused[1]}"}}') == 1


async def test_a_flood_of_events_drives_out_no_alert(open_inbox: OpenInbox, webhook: dict[str, Any]) -> None:
    """Events give way to events, alerts to alerts, and what fires is shown under any number of events."""
    async with open_inbox(max_messages=5) as inbox:
        await inbox.post("/webhook/a", json=webhook)
        for number in range(12):
            await inbox.post(PATH, content=of({"message": f"event {number}"}), headers=AUTH)
        assert [each["title"] for each in await kept(inbox, kind="sentry")] == [
            f"event {number}" for number in (11, 10, 9, 8, 7)
        ]
        assert len(await kept(inbox, kind="webhook")) == 1
        for _ in range(110):
            await inbox.post(PATH, content=of({"message": "again"}), headers=AUTH)
        assert "FIRING NOW:</strong> JudgmentHighErrorRate" in (await inbox.get("/")).text


async def test_hostile_text_is_only_text(inbox: httpx.AsyncClient) -> None:
    """Nothing of an event is markup."""
    event = {"message": "<script>alert(1)</script>", "tags": {"<b>": "<i>"}, "level": "warning"}
    await inbox.post(PATH, content=of(event), headers=AUTH)
    page = (await inbox.get("/")).text
    assert "<script>alert" not in page
    assert "<b>" not in page


_KEYS = (
    "event_id", "level", "message", "logentry", "exception", "values", "stacktrace", "frames", "filename",
    "lineno", "contexts", "trace", "payment", "tags", "user", "id", "release", "transaction", "formatted",
    "type", "value",
)  # fmt: skip

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_KEYS) | st.text(), inner, max_size=5)
    ),
    max_leaves=15,
)
_ITEM = st.tuples(
    st.fixed_dictionaries(
        {"type": st.sampled_from(["event", "transaction", "session", ""]) | _JSON},
        optional={"length": st.integers(-2, 300) | _JSON},
    ),
    _JSON.map(json.dumps) | st.text(max_size=40),
).map(lambda pair: f"{json.dumps(pair[0])}\n{pair[1]}\n")
_BODY = (
    st.binary(max_size=300)
    | st.lists(_ITEM, max_size=3).map(lambda items: ("{}\n" + "".join(items)).encode("utf-8", "replace"))
    | st.dictionaries(st.sampled_from(_KEYS), _JSON, max_size=8).map(of)
)
_PACKERS: dict[str, Any] = {"gzip": gzip.compress, "br": brotli.compress, "deflate": zlib.compress, "": bytes}


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    project=st.sampled_from(["1", "x", "9" * 30]),
    body=_BODY,
    packed=st.tuples(st.sampled_from([*_PACKERS, "zstd"]), st.booleans()),
    auth=st.sampled_from([AUTH["X-Sentry-Auth"]] * 4)
    | st.text(st.characters(codec="ascii", categories=["L", "N", "P"])),
)
async def test_no_bytes_break_it(
    inbox: httpx.AsyncClient, project: str, body: bytes, packed: tuple[str, bool], auth: str
) -> None:
    """Arbitrary bytes never give a 5xx, and whatever was taken can be listed and shown."""
    encoding, honest = packed
    content = _PACKERS.get(encoding, bytes)(body) if honest else body
    headers = {"X-Sentry-Auth": auth, "Content-Encoding": encoding}
    answer = await inbox.post(f"/sentry/api/{project}/envelope/", content=content, headers=headers)
    assert answer.status_code in (200, 400, 401)
    assert (await inbox.get("/api/v1/messages", params={"limit": 2})).status_code == 200
    assert (await inbox.get("/", params={"kind": "sentry"})).status_code == 200
