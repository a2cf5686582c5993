"""A mail, as Alertmanager writes it, turned into a message."""

import email
import email.policy
import json
import re
from collections.abc import Sequence
from email.message import EmailMessage
from html.parser import HTMLParser

from services.inbox.domain import (
    LONGEST_TEXT,
    Json,
    Kind,
    Message,
    Refusal,
    RefusedMessageError,
    checked_name,
    safe_link,
    status_and_name,
    text_of,
    unique_links,
)

RECEIVER_HEADER, LABELS_HEADER = "X-Firedrill-Receiver", "X-Firedrill-Labels"
DEFAULT_RECEIVER = "email"
_LINK_LINE = re.compile(r"^([A-Z][\w ]{0,30}): (https?://\S+)\s*$", re.MULTILINE)
# The standard parser raises any of these for headers and parts that are not as they should be.
_BROKEN = (ValueError, LookupError, AttributeError, RecursionError, TypeError)
_KEPT_HEADERS = ("From", "To", "Subject", "Date", "Message-Id", RECEIVER_HEADER, LABELS_HEADER)


def parse_mail(content: bytes, sender: str, recipients: Sequence[str]) -> Message:
    """The message in a mail; its channel is the first recipient's name before the @.

    RefusedMessageError for what has no headers or a text that is too long.
    """
    try:
        mail = email.message_from_bytes(content, policy=email.policy.default)
        headers = {name: value for name in _KEPT_HEADERS if (value := _header(mail, name))}
        text, html = _body(mail, "plain"), _body(mail, "html")
    except _BROKEN as error:
        raise RefusedMessageError(
            Refusal.BAD_MAIL, f"the mail cannot be read: {type(error).__name__}"
        ) from None
    subject = headers.get("Subject", "").strip()
    text = (text or _without_tags(html)).strip()
    if not subject and not text:
        raise RefusedMessageError(Refusal.BAD_MAIL, "there is neither subject nor text")
    if len(text) > LONGEST_TEXT:
        raise RefusedMessageError(
            Refusal.MESSAGE_TOO_LONG, f"the text is longer than {LONGEST_TEXT} characters"
        )
    labels = _labels(headers.get(LABELS_HEADER, ""))
    status, name = status_and_name(subject)
    name = labels.get("alertname") or name
    raw: dict[str, Json] = {
        "sender": sender, "recipients": list(recipients), "headers": dict(headers),
        "text": text, "html": html,
    }  # fmt: skip
    return Message(
        kind=Kind.EMAIL,
        receiver=checked_name(headers.get(RECEIVER_HEADER, "") or DEFAULT_RECEIVER),
        channel=_mailbox(recipients[0]),
        status=status,
        title=subject or text.partition("\n")[0][:200],
        text=text,
        severity=labels.get("severity", ""),
        alertnames=(name,) if name else (),
        labels=labels,
        alerts=(),
        links=unique_links([safe_link(found[1], found[2]) for found in _LINK_LINE.finditer(text)]),
        raw=raw,
    )


def _header(mail: EmailMessage, name: str) -> str:
    """Nothing for one that is missing or not as it should be; the rest of the mail may be."""
    try:
        return str(mail[name] or "")
    except _BROKEN:
        return ""


def _mailbox(address: str) -> str:
    return re.sub(r"[^\w.-]", "-", address.partition("@")[0])[:80] or DEFAULT_RECEIVER


def _body(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body(preferencelist=(kind,))
    if part is None:
        return ""
    content = part.get_content()
    return content if isinstance(content, str) else ""


def _labels(header: str) -> dict[str, str]:
    try:
        found = json.loads(header) if header else {}
    except (ValueError, RecursionError):
        return {}
    return {str(name): text_of(value) for name, value in found.items()} if isinstance(found, dict) else {}


class _Text(HTMLParser):
    """Gathers what stands between the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []

    def handle_data(self, data: str) -> None:
        """Keep a piece of text."""
        if data.strip():
            self.parts.append(data.strip())


def _without_tags(html: str) -> str:
    reader = _Text()
    reader.feed(html)
    return "\n".join(reader.parts)
