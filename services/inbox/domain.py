"""What a message is, and what its senders' payloads have in common.

InboxError
├── RefusedMessageError     the sender's payload is not one that the real receiver would take
└── StoreUnavailableError   the messages cannot be kept or read now
"""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import urlsplit

LONGEST_TEXT = 40_000  # characters; beyond it Slack refuses or cuts
MOST_ATTACHMENTS = 100
MOST_ALERTS = 1_000
LONGEST_NAME = 80  # of a channel or receiver
DEEPEST_NESTING = 40

# "[FIRING:2] Name (...)", which is Alertmanager's own title, and "FIRING: Name" or "RESOLVED Name".
_TITLE = re.compile(r"\b(FIRING|RESOLVED)\b(?::\s*\d+)?[\]:\s*-]*([A-Za-z_][A-Za-z0-9_]*)?")

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


class InboxError(Exception):
    """Anything that the inbox can say went wrong."""


class StoreUnavailableError(InboxError):
    """The store refused, failed or took too long."""


class Refusal(StrEnum):
    """Why a payload is refused; Slack's own words where it has one."""

    INVALID_PAYLOAD = "invalid_payload"
    NO_TEXT = "no_text"
    MESSAGE_TOO_LONG = "msg_too_long"
    TOO_MANY_ATTACHMENTS = "too_many_attachments"
    CHANNEL_NOT_FOUND = "channel_not_found"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    BAD_ALERTS = "bad_alerts"
    BAD_VERSION = "bad_version"
    INVALID_BLOCKS = "invalid_blocks"
    INVALID_ATTACHMENTS = "invalid_attachments"
    INVALID_EVENT = "invalid_event"
    BAD_MAIL = "bad_mail"
    MISSING_AUTH = "missing_auth"
    BAD_KEY = "bad_key"
    BAD_PROJECT = "bad_project"
    BAD_ENCODING = "bad_encoding"
    BAD_ENVELOPE = "bad_envelope"


class RefusedMessageError(InboxError):
    """The payload is refused for `reason`; the text explains."""

    def __init__(self, reason: Refusal, explanation: str) -> None:
        self.reason = reason
        super().__init__(explanation)


class Kind(StrEnum):
    """By which way a message came."""

    SLACK = "slack"
    PAGERDUTY = "pagerduty"
    EMAIL = "email"
    WEBHOOK = "webhook"
    SENTRY = "sentry"


class Status(StrEnum):
    """What the message says about its alerts."""

    FIRING = "firing"
    RESOLVED = "resolved"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Alert:
    """One alert of a webhook; times are RFC 3339 as Alertmanager wrote them."""

    name: str
    status: Status
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    starts_at: str
    ends_at: str
    fingerprint: str
    generator_url: str


@dataclass(frozen=True)
class Link:
    """A link of http or https."""

    label: str
    url: str


@dataclass(frozen=True)
class Message:
    """One notification as it is kept; `labels` are those that all its alerts share."""

    kind: Kind
    receiver: str
    channel: str
    status: Status
    title: str
    text: str
    severity: str
    alertnames: tuple[str, ...]
    labels: Mapping[str, str]
    alerts: tuple[Alert, ...]
    links: tuple[Link, ...]
    raw: Json


@dataclass(frozen=True)
class Stored:
    """A message with its number and the time of its arrival in nanoseconds since 1970."""

    id: int
    received_ns: int
    message: Message

    @property
    def received_at(self) -> float:
        """Seconds since 1970."""
        return self.received_ns / 1e9


@dataclass(frozen=True)
class Wanted:
    """Which messages to list, newest first; None means any, `since` is in seconds since 1970, exclusive.

    `without` leaves one kind out.
    """

    receiver: str | None = None
    channel: str | None = None
    alertname: str | None = None
    status: Status | None = None
    kind: Kind | None = None
    since: float | None = None
    limit: int = 100
    without: Kind | None = None


def read_json(content: bytes) -> Json:
    """`content` as JSON that can be kept and returned, or ValueError.

    Refuses numbers that are not finite and nesting deeper than DEEPEST_NESTING; replaces halves of
    surrogate pairs, which no UTF-8 answer could carry.
    """
    try:
        found = json.loads(content, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return _clean(found, DEEPEST_NESTING)


def text_of(value: Json | None) -> str:
    """A string as it is, a number or truth value as JSON, anything else as nothing."""
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, list | dict):
        return ""
    return json.dumps(value)


def texts_of(value: Json | None) -> dict[str, str]:
    """The entries of an object as texts."""
    return {name: text_of(each) for name, each in value.items()} if isinstance(value, dict) else {}


def safe_link(label: str, url: str) -> Link | None:
    """A link, or None unless `url` is of http or https: a page must not offer javascript: or file:."""
    try:
        parts = urlsplit(url.strip())
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
    except ValueError:
        usable = False
    return Link(label.strip()[:LONGEST_NAME] or "link", url.strip()) if usable else None


def unique_links(candidates: Sequence[Link | None]) -> tuple[Link, ...]:
    """The links without gaps and without a URL that came before."""
    found: dict[str, Link] = {}
    for link in candidates:
        if link is not None:
            found.setdefault(link.url, link)
    return tuple(found.values())


def status_and_name(title: str) -> tuple[Status, str]:
    """What a title such as "FIRING Name" or Alertmanager's own "[FIRING:2] Name (...)" says."""
    found = _TITLE.search(title)
    return (Status(found[1].lower()), found[2] or "") if found else (Status.UNKNOWN, "")


def checked_name(name: str) -> str:
    """A channel or receiver without its leading #, or RefusedMessageError."""
    bare = name.strip().removeprefix("#")
    if not re.fullmatch(rf"[\w.@-]{{1,{LONGEST_NAME}}}", bare):
        raise RefusedMessageError(
            Refusal.CHANNEL_NOT_FOUND, "letters, digits, _ . @ and - make a channel name"
        )
    return bare


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number


def _clean(value: Json, depth: int) -> Json:
    if depth == 0:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_clean(each, depth - 1) for each in value]
    if isinstance(value, dict):
        return {str(_clean(name, depth - 1)): _clean(each, depth - 1) for name, each in value.items()}
    return value
