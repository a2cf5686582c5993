"""Mails: taken by SMTP as a mail server takes them, read to messages, refused when they cannot be."""

import asyncio
import contextlib
import smtplib
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from email.message import EmailMessage

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.inbox.domain import Message, Refusal, RefusedMessageError, Status, StoreUnavailableError
from services.inbox.mail import parse_mail
from services.inbox.smtp import LARGEST_MAIL_BYTES, MOST_CLIENTS, SmtpServer

pytestmark = pytest.mark.anyio
OpenInbox = Callable[..., AbstractAsyncContextManager[httpx.AsyncClient]]
Taken = tuple[bytes, str, Sequence[str]]


def mail(subject: str = "FIRING HighErrorRate", text: str = "Severity: critical\n6% fail") -> EmailMessage:
    """A mail as Alertmanager writes it."""
    made = EmailMessage()
    made["Subject"], made["From"], made["To"] = subject, "a@example.com", "ops-team@example.com"
    made["X-Firedrill-Receiver"] = "aegis-critical"
    made["X-Firedrill-Labels"] = '{"alertname":"HighErrorRate","severity":"critical","system":"aegis"}'
    made.set_content(text + "\nRunbook: http://127.0.0.1:8090/runbooks/a/b\n")
    made.add_alternative("<p>6% fail</p>", subtype="html")
    return made


class Kept:
    """Keeps mails in a list; raises `error` instead when there is one."""

    def __init__(self) -> None:
        self.taken: list[Taken] = []
        self.error: Exception | None = None

    async def __call__(self, content: bytes, sender: str, recipients: Sequence[str]) -> None:
        if self.error is not None:
            raise self.error
        self.taken.append((content, sender, list(recipients)))


@pytest.fixture
def kept() -> Kept:
    """Where the server's mails go."""
    return Kept()


@pytest.fixture
async def port(kept: Kept) -> AsyncIterator[int]:
    """The port of a running server."""
    server = SmtpServer(kept, idle_seconds=2.0)
    yield await server.start("127.0.0.1", 0)
    await server.stop()


async def talk(port: int, *lines: bytes) -> list[str]:
    """The replies to the greeting and to each line, sent one after another."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    replies = [(await reader.readline()).decode().strip()]
    for line in lines:
        writer.write(line)
        while True:
            reply = (await reader.readline()).decode().strip()
            if reply[3:4] != "-":
                break
        replies.append(reply)
    writer.close()
    await writer.wait_closed()
    return replies


async def test_a_mail_arrives_as_a_message(open_inbox: OpenInbox) -> None:
    """By SMTP to the JSON API: kind, receiver, channel, labels, link."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    async with open_inbox(smtp=("127.0.0.1", port)) as inbox:

        def send() -> None:
            with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
                client.send_message(mail())

        await asyncio.to_thread(send)
        (message,) = (await inbox.get("/api/v1/messages", params={"kind": "email"})).json()["messages"]
        assert (message["receiver"], message["channel"]) == ("aegis-critical", "ops-team")
        assert (message["status"], message["alertname"]) == ("firing", "HighErrorRate")
        assert message["labels"]["system"] == "aegis"
        assert message["links"] == [{"label": "Runbook", "url": "http://127.0.0.1:8090/runbooks/a/b"}]
        assert "6% fail" in message["text"]


async def test_dots_and_several_recipients(port: int, kept: Kept) -> None:
    """A dot that begins a line is doubled on the way and single in the mail; mails follow one another."""

    def send() -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=5) as client:
            for _ in range(2):
                client.sendmail("a@b", ["c@d", "e@f"], "Subject: x\r\n\r\n.dot\r\n..two\r\n")

    await asyncio.to_thread(send)
    assert [(sender, recipients) for _, sender, recipients in kept.taken] == [("a@b", ["c@d", "e@f"])] * 2
    assert kept.taken[0][0] == b"Subject: x\r\n\r\n.dot\r\n..two\r\n"


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([b"MAIL FROM:<a@b>\r\n"], "503"),
        ([b"EHLO x\r\n", b"RCPT TO:<a@b>\r\n"], "503"),
        ([b"EHLO x\r\n", b"MAIL FROM:a@b\r\n"], "501"),
        ([b"EHLO x\r\n", b"MAIL FROM:<a@b> SIZE=9999999\r\n"], "552"),
        ([b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"MAIL FROM:<a@b>\r\n"], "503"),
        ([b"EHLO x\r\n", b"MAIL FROM:<>\r\n", b"RCPT TO:<nobody>\r\n"], "501"),
        ([b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"DATA\r\n"], "503"),
        ([b"EHLO x\r\n", b"MAIL FROM:<a@b>\r\n", b"RSET\r\n", b"RCPT TO:<a@b>\r\n"], "503"),
        ([b"STARTTLS\r\n"], "502"),
        ([b"\xff\xfe\r\n"], "502"),
        ([b"NOOP\r\n"], "250"),
        ([b"VRFY a\r\n"], "252"),
        ([b"helo x\r\n", b"quit\r\n"], "221"),
        ([b"x" * 5000 + b"\r\n"], "500"),
    ],
)
async def test_the_order_and_the_words_of_smtp(port: int, lines: list[bytes], code: str) -> None:
    """What comes out of turn or cannot be read has its code."""
    assert (await talk(port, *lines))[-1].startswith(code)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RefusedMessageError(Refusal.BAD_MAIL, "no"), "554 bad_mail"),
        (StoreUnavailableError("full"), "451"),
        (None, "250"),
    ],
)
async def test_what_the_inbox_says_is_told(port: int, kept: Kept, error: Exception | None, code: str) -> None:
    """Refused for good, not now, or taken."""
    kept.error = error
    start = [
        b"EHLO x\r\n",
        b"MAIL FROM:<a@b>\r\n",
        b"RCPT TO:<c@d>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n\r\n.\r\n",
    ]
    assert (await talk(port, *start))[-1].startswith(code)


async def test_a_mail_that_is_too_large_is_refused(port: int, kept: Kept) -> None:
    """552, nothing is kept, and the next one is taken."""
    body = b"x" * 998 + b"\r\n"
    large = b"Subject: x\r\n\r\n" + body * (LARGEST_MAIL_BYTES // len(body) + 1) + b".\r\n"
    start = [b"MAIL FROM:<a@b>\r\n", b"RCPT TO:<c@d>\r\n", b"DATA\r\n"]
    replies = await talk(port, b"EHLO x\r\n", *start, large, *start, b"Subject: y\r\n\r\n.\r\n")
    assert replies[5].startswith("552")
    assert [content for content, _, _ in kept.taken] == [b"Subject: y\r\n\r\n"]


async def test_clients_are_bounded(port: int) -> None:
    """One too many is told so; those before it go on."""
    opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(MOST_CLIENTS)]
    assert [(await reader.readline())[:3] for reader, _ in opened] == [b"220"] * MOST_CLIENTS
    assert (await talk(port))[0].startswith("421")
    for _, writer in opened:
        writer.close()


async def test_a_silent_client_is_sent_away(kept: Kept) -> None:
    """After the idle time, with a word."""
    server = SmtpServer(kept, idle_seconds=0.05)
    reader, writer = await asyncio.open_connection("127.0.0.1", await server.start("127.0.0.1", 0))
    assert (await reader.readline()).startswith(b"220")
    assert (await reader.readline()).startswith(b"421")
    writer.close()
    await server.stop()


def test_a_mail_without_our_headers_is_read_too() -> None:
    """Its subject tells status and name; the receiver is then just e-mail."""
    message = parse_mail(b"Subject: [RESOLVED] Disk\r\n\r\nall well\r\n", "a@b", ["on.call@example.com"])
    assert (message.status, message.alertnames, message.receiver) == (Status.RESOLVED, ("Disk",), "email")
    assert (message.channel, message.text) == ("on.call", "all well")


def test_html_alone_is_read_as_text() -> None:
    """Tags are left out."""
    content = b"Subject: x\r\nContent-Type: text/html\r\n\r\n<p>one</p><script>two</script>"
    assert parse_mail(content, "a@b", ["c@d"]).text == "one\ntwo"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"Subject: x\r\nX-Firedrill-Receiver: no such/name\r\n\r\ntext",
        b"Subject: x\r\n\r\n" + b"y" * 40_001,
    ],
)
def test_mails_that_are_refused(content: bytes) -> None:
    """Empty, a receiver that is no name, too long."""
    with pytest.raises(RefusedMessageError):
        parse_mail(content, "a@b", ["c@d"])


@pytest.mark.parametrize(
    ("content", "title"),
    [
        (b"Subject: =?utf-8?q?=ff?=\r\nX-Firedrill-Labels: [1\r\n\r\nx", "\ufffd"),
        (b"Subject: x\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n--b--", "x"),
        (b"Subject: x\r\nTo: <\r\nDate: never\r\nMessage-Id: <<\r\n\r\nx", "x"),
    ],
)
def test_odd_mails_are_read_as_far_as_they_go(content: bytes, title: str) -> None:
    """Words in no encoding, parts without content, headers that are cut off."""
    assert parse_mail(content, "a@b", ["c@d"]).title == title


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=300) | st.binary(max_size=100).map(lambda end: b"Subject: x\r\nContent-Type: " + end)
)
def test_no_bytes_break_the_reading(content: bytes) -> None:
    """A message, or a refusal; nothing else."""
    with contextlib.suppress(RefusedMessageError):
        assert isinstance(parse_mail(content, "a@b", ["c@d"]), Message)
