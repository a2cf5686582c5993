"""Notifications as their receivers show them, with text that stays text."""

from typing import Any

from console.inbox.messages import Pulse, Wanted, place_of, pulse_of
from console.inbox.views import Attachment, Event, Hook, Mail, Page, Piece, Slack, pieces, view_of
from console.sources import Notice


def notice(kind: str = "slack", **more: Any) -> Notice:
    """A message of the inbox."""
    values: dict[str, Any] = {
        "id": 1,
        "at": 5.0,
        "kind": kind,
        "receiver": "team",
        "channel": "alerts",
        "status": "firing",
        "severity": "critical",
        "title": "FIRING Name",
        "text": "first\nsecond http://x.example/a",
        "alertnames": ("Name",),
        "labels": {"service": "fds"},
        "links": (("runbook", "http://x.example/r"),),
        "alerts": (),
    }
    return Notice(**{**values, **more})


def test_slack_shows_attachment_with_bar_title_text_and_fields() -> None:
    """What Alertmanager sends to Slack looks as Slack shows it."""
    raw = {
        "username": "Firedrill",
        "attachments": [
            {
                "color": "danger",
                "title": "FIRING Name",
                "title_link": "http://x.example/runbooks/fds/Name",
                "text": "*Slow* for `fds`\n<http://x.example/d|Board>",
                "footer": "team",
                "fields": [
                    {"title": "Severity", "value": "critical", "short": True},
                    {"title": "Empty", "value": ""},
                ],
            }
        ],
    }
    found = view_of(notice(), raw)
    assert isinstance(found, Slack)
    assert (found.author, found.channel) == ("Firedrill", "alerts")
    assert found.attachments == (
        Attachment(
            "#e01e5a", "FIRING Name", "http://x.example/runbooks/fds/Name",
            (
                (Piece("strong", "Slow"), Piece("text", " for "), Piece("code", "fds")),
                (Piece("link", "Board", "http://x.example/d"),),
            ),
            (("Severity", "critical", True),), "team", (),
        ),
    )  # fmt: skip


def test_slack_text_stays_text() -> None:
    """Tags are characters, escapes are undone once, and only the web is linked."""
    assert pieces("<script>alert(1)</script> &lt;b&gt; a_b_c") == (
        Piece("text", "<script>alert(1)</script> <b> a_b_c"),
    )
    assert pieces("<javascript:alert(1)|x>") == (Piece("text", "<javascript:alert(1)|x>"),)


def test_a_colour_out_of_a_message_is_a_colour_or_none() -> None:
    """Nothing else of a message reaches a style."""
    for colour, shown in (("#12ab34", "#12ab34"), ("red; position: fixed", "#888888"), ("good", "#2eb67d")):
        found = view_of(notice(), {"attachments": [{"color": colour, "text": "x"}]})
        assert isinstance(found, Slack)
        assert found.attachments[0].colour == shown


def test_a_page_shows_urgency_and_details() -> None:
    """One line for who is woken, then what the event tells."""
    raw = {
        "event_action": "trigger", "dedup_key": "k1",
        "payload": {"source": "judgment", "custom_details": {"description": "37 % fail", "labels": "{}"}},
    }  # fmt: skip
    found = view_of(notice("pagerduty"), raw)
    assert found == Page(
        "trigger",
        "critical",
        "FIRING Name",
        "judgment",
        "k1",
        (("description", "37 % fail"), ("service", "fds")),
        (("runbook", "http://x.example/r"),),
    )


def test_a_mail_is_its_text_with_links() -> None:
    """The headers as a reader shows them; HTML parts are not shown."""
    raw = {
        "headers": {"From": "a@x", "To": "ops@x", "Subject": "FIRING", "Date": "today"},
        "html": "<b>no</b>",
    }
    found = view_of(notice("email"), raw)
    assert isinstance(found, Mail)
    assert (found.sender, found.to, found.subject) == ("a@x", "ops@x", "FIRING")
    assert found.lines[1] == (
        Piece("text", "second "),
        Piece("link", "http://x.example/a", "http://x.example/a"),
    )


def test_a_webhook_shows_each_of_its_alerts() -> None:
    """Status, name, summary and labels of each."""
    told = {
        "alertname": "Name",
        "status": "resolved",
        "annotations": {"summary": "calm"},
        "labels": {"service": "fds"},
    }
    found = view_of(notice("webhook", alerts=(told,)), {"version": "4"})
    assert isinstance(found, Hook)
    assert found.alerts == (("Name", "resolved", "calm", (("service", "fds"),)),)
    assert '"version": "4"' in found.body


def test_an_event_shows_the_exception_that_was_raised_last_deepest_frame_first() -> None:
    """As Sentry does: kind, value, frames with their line of code, tags, and the trace that it belongs to."""
    frames = [
        {"filename": "app.py", "lineno": 1, "function": "main"},
        {
            "filename": "model.py",
            "lineno": 41,
            "function": "score",
            "context_line": "  raise X",
            "in_app": True,
        },
    ]
    raw = {
        "transaction": "POST /x",
        "exception": {
            "values": [
                {"type": "OSError"},
                {"type": "TimeoutError", "value": "late", "stacktrace": {"frames": frames}},
            ]
        },
    }
    found = view_of(notice("sentry", severity="error", labels={"trace_id": "ab"}), raw)
    assert found == Event(
        "error",
        "TimeoutError",
        "late",
        "POST /x",
        (("model.py:41 in score", "raise X", True), ("app.py:1 in main", "", False)),
        (("trace_id", "ab"),),
        "ab",
    )


def test_any_payload_can_be_shown() -> None:
    """Whatever a sender sent, of any kind, is shown as far as it can be read."""
    odd: Any
    for odd in (
        None,
        [],
        "text",
        {"attachments": "x", "payload": 1, "headers": [], "exception": {"values": 3}},
    ):
        for kind in ("slack", "pagerduty", "email", "webhook", "sentry", "unknown"):
            assert view_of(notice(kind), odd) is not None


def test_the_address_chooses_messages() -> None:
    """Only what the inbox knows is asked for; a link changes one of them."""
    found = Wanted.of({"kind": "slack", "status": "loud", "alert": "A"})
    assert found == Wanted(kind="slack", alert="A")
    assert found.query(status="firing") == {"kind": "slack", "status": "firing", "alert": "A"}
    assert found.query(alert="") == {"kind": "slack"}


def test_the_heartbeat_says_what_silence_means() -> None:
    """Alive, never heard, and silent are three things."""
    assert (
        pulse_of({"alive": True, "silent_seconds": 2.0, "limit_seconds": 18}).words().startswith("Heartbeat")
    )
    assert "No heartbeat yet" in pulse_of({"alive": False, "silent_seconds": None}).words()
    assert "NO HEARTBEAT for 40 s" in Pulse(False, 40.0, 18.0).words()


def test_places_are_named_as_people_name_them() -> None:
    """A channel, a mailbox, a receiver."""
    assert place_of(notice()) == "#alerts"
    assert place_of(notice("email", channel="ops")) == "to ops"
    assert place_of(notice("pagerduty")) == "team"
