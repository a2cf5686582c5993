"""The pages: all text is shown as text, nothing is loaded from outside, runbooks stay in their folder."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.inbox.incidents import incidents
from services.inbox.runbooks import Block, blocks
from services.inbox.settings import Settings, SettingsError

pytestmark = pytest.mark.anyio
EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


async def test_empty_page_says_what_to_do(inbox: httpx.AsyncClient) -> None:
    """Without messages the page names the command that makes one."""
    page = await inbox.get("/")
    assert page.headers["content-type"].startswith("text/html")
    assert "No messages yet" in page.text
    assert "make drill" in page.text


async def test_text_is_escaped_everywhere(
    inbox: httpx.AsyncClient, webhook: dict[str, Any], slack: dict[str, Any]
) -> None:
    """HTML in any field of a message is shown, not obeyed."""
    alert = webhook["alerts"][0]
    alert["labels"] |= {"alertname": EVIL, "severity": EVIL, EVIL: EVIL}
    alert["annotations"] |= {"summary": EVIL, "description": EVIL, "runbook_url": f"http://a.example/{EVIL}"}
    webhook["commonLabels"]["severity"] = EVIL
    alert["startsAt"] = EVIL
    slack["attachments"][0] |= {"title": EVIL, "text": EVIL, "fields": [{"title": EVIL, "value": EVIL}]}
    assert (await inbox.post("/webhook/a", json=webhook)).status_code == 200
    assert (await inbox.post("/slack/a", json=slack)).status_code == 200
    page = (await inbox.get("/")).text
    assert page.count("<script") == 1  # the page's own
    assert "<img" not in page
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 8


async def test_only_web_links_are_links(inbox: httpx.AsyncClient, webhook: dict[str, Any]) -> None:
    """A javascript:, data: or file: address is not made clickable."""
    alert = webhook["alerts"][0]
    alert["annotations"] |= {"runbook_url": "javascript:alert(1)", "dashboard_url": " data:text/html,x"}
    alert["generatorURL"] = "file:///etc/passwd"
    await inbox.post("/webhook/a", json=webhook)
    assert (await inbox.get("/api/v1/messages/1")).json()["links"] == []
    page = (await inbox.get("/")).text
    assert not re.search(r'href="\s*(javascript|data:text|file)', page)


async def test_page_asks_for_nothing_outside(inbox: httpx.AsyncClient, webhook: dict[str, Any]) -> None:
    """The policy forbids everything but the page's own style and script, each with this answer's nonce."""
    await inbox.post("/webhook/a", json=webhook)
    first, second = await inbox.get("/"), await inbox.get("/")
    policy = first.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    nonces = set(re.findall(r'nonce="([^"]+)"', first.text))
    assert len(nonces) == 1
    assert f"'nonce-{nonces.pop()}'" in policy
    assert second.headers["content-security-policy"] != policy
    assert not re.search(r"""(src|@import|url\()\s*=?\s*["']?(https?:)?//""", first.text)


async def test_firing_and_resolved_are_told_in_words(
    inbox: httpx.AsyncClient, webhook: dict[str, Any]
) -> None:
    """Status and severity stand as text, links are there, firing comes first, a filter shows one status."""
    await inbox.post("/webhook/a", json=webhook)
    page = (await inbox.get("/")).text
    assert "FIRING NOW:" in page
    assert "FIRING · critical" in page
    for label in ("Alert", "Runbook", "Dashboard"):
        assert f">{label}</a>" in page
    webhook["status"] = webhook["alerts"][0]["status"] = "resolved"
    await inbox.post("/webhook/a", json=webhook)
    page = (await inbox.get("/")).text
    assert "Nothing is firing" in page
    assert "RESOLVED · critical" in page
    assert "FIRING · critical" not in page
    webhook["status"] = webhook["alerts"][0]["status"] = "firing"
    await inbox.post("/webhook/a", json=webhook)
    page = (await inbox.get("/")).text
    assert page.index("FIRING · critical") < page.index("RESOLVED · critical")
    assert "RESOLVED · critical" not in (await inbox.get("/?status=firing")).text
    assert "FIRING · critical" not in (await inbox.get("/?status=resolved")).text


async def test_critical_stands_above_warning(inbox: httpx.AsyncClient, webhook: dict[str, Any]) -> None:
    """Among what fires, whatever came last."""
    await inbox.post("/webhook/a", json=webhook)
    alert = webhook["alerts"][0]
    alert["labels"] = webhook["commonLabels"] = {"alertname": "Other", "severity": "warning"}
    await inbox.post("/webhook/a", json=webhook)
    page = (await inbox.get("/")).text
    assert page.index("FIRING · critical") < page.index("FIRING · warning")


async def test_all_notices_of_an_incident_are_one_card(
    inbox: httpx.AsyncClient, webhook: dict[str, Any], slack: dict[str, Any]
) -> None:
    """What came by several ways, again, and resolved, is shown once, with the most detail and every place."""
    await inbox.post("/slack/a?receiver=ai-factory-critical", json=slack)
    await inbox.post("/webhook/a", json=webhook)
    await inbox.post("/webhook/a", json=webhook)
    page = (await inbox.get("/")).text
    assert page.count("<article") == 1
    assert "slack #platform" in page
    assert "webhook <b>2 times</b>" in page
    assert "receiver ai-factory-critical" in page
    assert "Judgment executions fail" in page
    assert "3 notices" in page


async def test_alerts_of_one_name_in_two_systems_are_two(
    inbox: httpx.AsyncClient, webhook: dict[str, Any]
) -> None:
    """HighErrorRate of the shop and of another system have nothing in common."""
    for system in ("shopfds", "kerp"):
        webhook["commonLabels"] = webhook["alerts"][0]["labels"] = {
            "alertname": "HighErrorRate",
            "system": system,
        }
        await inbox.post("/webhook/a", json=webhook)
    page = (await inbox.get("/")).text
    assert page.count("<article") == 2
    assert "HighErrorRate (shopfds)" in page
    assert "HighErrorRate (kerp)" in page


async def test_the_alert_link_leads_to_the_whole_message(
    inbox: httpx.AsyncClient, webhook: dict[str, Any]
) -> None:
    """Labels, the payload as it came, escaped, and the command that asks Prometheus; 404 for others."""
    webhook["alerts"][0]["annotations"]["description"] = EVIL
    await inbox.post("/webhook/a", json=webhook)
    assert 'href="/messages/1"' in (await inbox.get("/")).text
    page = (await inbox.get("/messages/1")).text
    assert "firedrill query" in page
    assert "ab12cd34ef56ab78" in page
    assert "<script" not in page
    missing = await inbox.get("/messages/2")
    assert missing.status_code == 404
    assert "message 2" in missing.text


async def test_each_kind_can_be_seen_alone(
    inbox: httpx.AsyncClient, webhook: dict[str, Any], slack: dict[str, Any]
) -> None:
    """With ?kind= only what came that way is shown."""
    await inbox.post("/webhook/a", json=webhook)
    await inbox.post("/slack/a", json={"text": "only words"})
    assert "only words" not in (await inbox.get("/?kind=webhook")).text
    page = (await inbox.get("/?kind=slack")).text
    assert "only words" in page
    assert "JudgmentHighErrorRate" not in page


def test_no_messages_no_incidents() -> None:
    """Nothing gives nothing."""
    assert incidents([]) == []


async def test_runbook_page(inbox: httpx.AsyncClient, tmp_path: Path) -> None:
    """The runbook of a slice is shown as a page, escaped; one that does not exist is a 404 that says so."""
    folder = tmp_path / "runbooks" / "judgment" / "runbooks"
    folder.mkdir(parents=True)
    (folder / "Alert.md").write_text(
        "# Alert\n\n## Meaning\n\nIt is `bad` & <script>.\n\n```promql\nup == 0\n```\n"
    )
    page = await inbox.get("/runbooks/judgment/Alert")
    assert page.status_code == 200
    assert "<code>bad</code> &amp; &lt;script&gt;." in page.text
    assert '<pre><span class="language">promql</span>up == 0</pre>' in page.text
    missing = await inbox.get("/runbooks/judgment/Other")
    assert missing.status_code == 404
    assert "judgment/Other" in missing.text


async def test_runbook_of_the_platform(inbox: httpx.AsyncClient, tmp_path: Path) -> None:
    """The platform's own runbooks stand in a folder of their own."""
    (tmp_path / "platform" / "runbooks").mkdir(parents=True)
    (tmp_path / "platform" / "runbooks" / "TargetDown.md").write_text("# TargetDown\n")
    assert "<h1>TargetDown</h1>" in (await inbox.get("/runbooks/platform/TargetDown")).text
    assert (await inbox.get("/runbooks/platform/Other")).status_code == 404


@pytest.mark.parametrize(
    "path", ["..%2f..%2fetc/passwd", "judgment/..%2fAlert", "judgment/.", "a%00b/x", "%2e%2e/x"]
)
async def test_runbooks_stay_in_their_folder(inbox: httpx.AsyncClient, tmp_path: Path, path: str) -> None:
    """No path leads out of the runbooks."""
    folder = tmp_path / "runbooks" / "judgment"
    (folder / "runbooks").mkdir(parents=True)
    (folder / "Alert.md").write_text("secret")
    answer = await inbox.get(f"/runbooks/{path}")
    assert answer.status_code in (400, 404)  # a NUL in a path is refused before any route
    assert "secret" not in answer.text


def test_blocks_of_a_runbook() -> None:
    """Headings, paragraphs over several lines, items, steps and code, even if the last fence is open."""
    text = "# T\none\ntwo\n- a\n  b\n- c\n1. d\n\n  ```sh\n  x\n\n   y\n  ```\nend\n```\nopen"
    assert list(blocks(text)) == [
        Block("heading", "T", 1),
        Block("paragraph", "one two"),
        Block("item", "a b"),
        Block("item", "c"),
        Block("step", "1. d"),
        Block("code", "x\n\n y", language="sh"),
        Block("paragraph", "end"),
        Block("code", "open"),
    ]


@pytest.mark.parametrize("text", ["0", "-1", "many", "100001", "1e3", "9" * 50, "٣"])
def test_wrong_number_of_messages_is_explained(text: str) -> None:
    """A bad INBOX_MAX_MESSAGES names itself and says what would do."""
    with pytest.raises(SettingsError, match=r"INBOX_MAX_MESSAGES.*use a number"):
        Settings.from_environment({"INBOX_MAX_MESSAGES": text})


@pytest.mark.parametrize("text", ["0", "-1", "soon", "nan", "inf", "86401"])
def test_wrong_heartbeat_limit_is_explained(text: str) -> None:
    """Seconds between one and a day."""
    with pytest.raises(SettingsError, match=r"INBOX_HEARTBEAT_LIMIT.*use seconds"):
        Settings.from_environment({"INBOX_HEARTBEAT_LIMIT": text})


@pytest.mark.parametrize("text", ["1025", ":1025", "host:", "host:x", "host:99999"])
def test_wrong_mail_address_is_explained(text: str) -> None:
    """Host and port, or nothing."""
    with pytest.raises(SettingsError, match=r"INBOX_SMTP_LISTEN.*host:port"):
        Settings.from_environment({"INBOX_SMTP_LISTEN": text})


def test_settings_by_default() -> None:
    """A thousand messages, three minutes, no mail server, and the runbooks of the slices beside this one."""
    settings = Settings.from_environment({"INBOX_DATA": "/somewhere"})
    assert (settings.heartbeat_limit, settings.smtp, settings.platform) == (180.0, None, None)
    assert (settings.max_messages, settings.data) == (1000, Path("/somewhere"))
    assert (settings.runbooks / "inbox" / "settings.py").is_file()
