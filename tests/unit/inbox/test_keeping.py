"""The messages that are kept: bounded, across restarts, found by filters, forgotten on request."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.inbox.adapters import SqliteMessages
from services.inbox.database import SqliteFile
from services.inbox.domain import StoreUnavailableError, Wanted
from services.inbox.slack import parse_slack

pytestmark = pytest.mark.anyio
OpenInbox = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]


async def texts(inbox: httpx.AsyncClient, **filters: str | float) -> list[str]:
    """The texts of the messages that match, newest first."""
    answer = await inbox.get("/api/v1/messages", params=filters)
    assert answer.status_code == 200, answer.text
    return [message["text"] for message in answer.json()["messages"]]


async def test_the_oldest_give_way(open_inbox: OpenInbox) -> None:
    """Of seven messages an inbox for five keeps the last five; numbers are never used again."""
    async with open_inbox(max_messages=5) as inbox:
        for number in range(7):
            await inbox.post("/slack/a", json={"text": str(number)})
        assert await texts(inbox) == ["6", "5", "4", "3", "2"]
        assert (await inbox.get("/api/v1/messages/1")).status_code == 404
        assert (await inbox.get("/api/v1/messages/7")).json()["text"] == "6"
        assert "inbox_messages_stored 5.0" in (await inbox.get("/metrics")).text


async def test_a_restart_keeps_messages(open_inbox: OpenInbox, webhook: dict[str, Any]) -> None:
    """What was taken before a restart is there after it, to the last field, and counted."""
    async with open_inbox() as inbox:
        await inbox.post("/webhook/a", json=webhook)
        before = (await inbox.get("/api/v1/messages/1")).json()
    async with open_inbox() as inbox:
        assert (await inbox.get("/api/v1/messages/1")).json() == before
        assert "inbox_messages_stored 1.0" in (await inbox.get("/metrics")).text


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\x00" + b"\xff" * 5000])
async def test_a_damaged_file_is_moved_aside(open_inbox: OpenInbox, tmp_path: Path, content: bytes) -> None:
    """A file that SQLite cannot read is kept under another name, and the inbox works at once."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "inbox.sqlite3").write_bytes(content)
    async with open_inbox() as inbox:
        assert (await inbox.post("/slack/a", json={"text": "new"})).text == "ok"
        assert await texts(inbox) == ["new"]
    assert (tmp_path / "data" / "inbox.sqlite3.damaged").read_bytes() == content


async def test_damage_is_reported_once(tmp_path: Path) -> None:
    """The one who is told of damage hears the new path and the reason, once."""
    (tmp_path / "inbox.sqlite3").write_bytes(b"no database at all")
    heard: list[tuple[Path, str]] = []
    file = SqliteFile(tmp_path, on_damaged=lambda path, why: heard.append((path, why)))
    store = SqliteMessages(file, 10)
    assert await store.count() == 0
    assert await store.count() == 0
    assert [path.name for path, _ in heard] == ["inbox.sqlite3.damaged"]
    assert "not a database" in heard[0][1]
    await file.close()


async def test_folder_that_cannot_be_used_is_a_503(open_inbox: OpenInbox, tmp_path: Path) -> None:
    """Where the folder should be stands a file: 503 with a reason, not ready, and no crash."""
    (tmp_path / "data").write_text("in the way")
    async with open_inbox() as inbox:
        for answer in (
            await inbox.post("/slack/a", json={"text": "x"}),
            await inbox.get("/api/v1/messages"),
            await inbox.get("/"),
        ):
            assert answer.status_code == 503
            assert answer.json()["error"]["code"] == "unavailable"
        assert (await inbox.get("/health/ready")).status_code == 503
        assert (await inbox.get("/health/live")).status_code == 200


async def test_a_locked_file_is_unavailable_and_not_moved(tmp_path: Path) -> None:
    """A file that another process holds is an error for now, not damage; later it works again."""
    file = SqliteFile(tmp_path, on_damaged=lambda path, why: pytest.fail(f"{path}: {why}"))
    store = SqliteMessages(file, 10)
    message = parse_slack(b'{"text": "x"}', "a")
    await store.add(message, 1)
    other = sqlite3.connect(tmp_path / "inbox.sqlite3")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailableError, match="locked"):
        await store.add(message, 2)
    other.rollback()
    other.close()
    await store.add(message, 3)
    assert [stored.received_ns for stored in await store.find(Wanted())] == [3, 1]
    await file.close()


async def test_size_is_bounded_too(tmp_path: Path) -> None:
    """Large messages push out older ones before the number is reached."""
    file = SqliteFile(tmp_path, on_damaged=lambda path, why: None)
    store = SqliteMessages(file, 1000)
    large = parse_slack(json.dumps({"text": "x", "extra": "y" * 500_000}).encode(), "a")
    for number in range(80):
        await store.add(large, number)
    assert 60 <= await store.count() <= 68
    await file.close()


async def test_filters(inbox: httpx.AsyncClient, webhook: dict[str, Any], slack: dict[str, Any]) -> None:
    """Receiver, channel, alert name, status and kind narrow the list, alone and together."""
    await inbox.post("/webhook/a", json=webhook)
    webhook |= {"status": "resolved", "receiver": "other"}
    webhook["alerts"][0]["status"] = "resolved"
    second = {**webhook["alerts"][0], "labels": {"alertname": "Second"}}
    webhook["alerts"].append(second)
    await inbox.post("/webhook/b", json=webhook)
    await inbox.post("/slack/c", json=slack)

    async def ids(**filters: str) -> list[int]:
        found = (await inbox.get("/api/v1/messages", params=filters)).json()
        assert found["total"] == 3
        return [message["id"] for message in found["messages"]]

    assert await ids() == [3, 2, 1]
    assert await ids(receiver="ai-factory-critical") == [1]
    assert await ids(channel="platform") == [3]
    assert await ids(alertname="JudgmentHighErrorRate") == [3, 2, 1]
    assert await ids(alertname="Second") == [2]
    assert await ids(alertname="Judgment") == []
    assert await ids(status="firing") == [3, 1]
    assert await ids(status="firing", kind="webhook") == [1]
    assert await ids(limit="2") == [3, 2]
    assert await ids(receiver="' OR 1=1 --") == []


async def test_since_is_exclusive_to_the_nanosecond(inbox: httpx.AsyncClient) -> None:
    """With the time of one message as `since`, the ones after it come and it does not."""
    for number in range(3):
        await inbox.post("/slack/a", json={"text": str(number)})
    times = [m["received_at"] for m in (await inbox.get("/api/v1/messages")).json()["messages"]]
    assert await texts(inbox, since=times[1]) == ["2"]
    assert await texts(inbox, since=times[2]) == ["2", "1"]
    assert await texts(inbox, since=times[0]) == []


@pytest.mark.parametrize(
    "query", ["status=burning", "limit=0", "limit=1001", "limit=x", "since=nan", "since=x", "kind=fax"]
)
async def test_wrong_filters_are_422(inbox: httpx.AsyncClient, query: str) -> None:
    """A filter that means nothing is refused with a JSON reason, not ignored."""
    answer = await inbox.get(f"/api/v1/messages?{query}")
    assert answer.status_code == 422
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("number", ["0", "-1", "x", str(2**63), "9" * 40])
async def test_numbers_that_no_message_can_have(inbox: httpx.AsyncClient, number: str) -> None:
    """A number beyond what the store can hold is refused before it is asked."""
    assert (await inbox.get(f"/api/v1/messages/{number}")).status_code == 422


async def test_forgetting_needs_confirmation(inbox: httpx.AsyncClient) -> None:
    """Without the header nothing is deleted; with it all is, and new messages are taken."""
    await inbox.post("/slack/a", json={"text": "x"})
    assert (await inbox.delete("/api/v1/messages")).status_code == 400
    assert await texts(inbox) == ["x"]
    assert (await inbox.delete("/api/v1/messages", headers={"X-Confirm": "delete"})).json() == {"deleted": 1}
    assert await texts(inbox) == []
    assert "inbox_messages_stored 0.0" in (await inbox.get("/metrics")).text
    await inbox.post("/slack/a", json={"text": "y"})
    assert await texts(inbox) == ["y"]
