"""An event of PagerDuty's Events API v2, as Alertmanager sends it, turned into a message."""

import hashlib
import json
from dataclasses import dataclass
from typing import NoReturn

from services.inbox.domain import (
    Json,
    Kind,
    Link,
    Message,
    Refusal,
    RefusedMessageError,
    Status,
    checked_name,
    read_json,
    safe_link,
    status_and_name,
    text_of,
    texts_of,
    unique_links,
)

# https://developer.pagerduty.com/docs/events-api-v2-overview
ROUTING_KEY_LENGTH = 32
LONGEST_DEDUP_KEY = 255
LONGEST_SUMMARY = 1_024
SEVERITIES = ("critical", "warning", "error", "info")
_ACTIONS = {"trigger": Status.FIRING, "acknowledge": Status.UNKNOWN, "resolve": Status.RESOLVED}
# The payload's own fields, for an event whose details do not tell the labels.
_FALLBACK = {"severity": "severity", "system": "group", "service": "source", "component": "component"}
HIDDEN = "(not kept)"
DEFAULT_RECEIVER = "pagerduty"


@dataclass(frozen=True)
class Event:
    """What was sent, and the key by which PagerDuty would know the incident again."""

    message: Message
    dedup_key: str


def parse_event(content: bytes, receiver: str | None = None) -> Event:
    """The event in `content`, its routing key left out of what is kept.

    RefusedMessageError in PagerDuty's words for what it refuses.
    """
    event = _event(content)
    action = _checked_action(event)
    payload = _checked_payload(event, needed=action == "trigger")
    details = payload.get("custom_details")
    details = details if isinstance(details, dict) else {}
    summary = text_of(payload.get("summary"))
    labels = _labels(payload, details)
    name = labels.get("alertname") or status_and_name(summary)[1] or text_of(payload.get("class"))
    message = Message(
        kind=Kind.PAGERDUTY,
        receiver=checked_name(receiver or text_of(details.get("receiver")) or DEFAULT_RECEIVER),
        channel="",
        status=_ACTIONS[action],
        title=summary or action,
        text=text_of(details.get("description")) or summary,
        severity=text_of(payload.get("severity")),
        alertnames=(name,) if name else (),
        labels=labels,
        alerts=(),
        links=_links(event),
        raw={**event, "routing_key": HIDDEN},
    )
    return Event(message, text_of(event.get("dedup_key")) or hashlib.sha256(content).hexdigest()[:32])


def _refuse(why: str) -> NoReturn:
    raise RefusedMessageError(Refusal.INVALID_EVENT, why)


def _event(content: bytes) -> dict[str, Json]:
    try:
        event = read_json(content)
    except ValueError as error:
        _refuse(f"the body is not JSON: {error}")
    if not isinstance(event, dict):
        _refuse("the body is not a JSON object")
    return event


def _checked_action(event: dict[str, Json]) -> str:
    key = event.get("routing_key")
    if not isinstance(key, str) or not key.strip():
        _refuse("'routing_key' is missing or blank")
    if len(key) != ROUTING_KEY_LENGTH or not key.isalnum():
        _refuse(f"Length of 'routing_key' is incorrect (should be {ROUTING_KEY_LENGTH} characters)")
    action = text_of(event.get("event_action"))
    if action not in _ACTIONS:
        _refuse(
            "'event_action' is invalid (must be one of the following: 'trigger', 'acknowledge', 'resolve')"
        )
    dedup = event.get("dedup_key")
    if dedup is not None and not isinstance(dedup, str):
        _refuse("'dedup_key' must be a string")
    if len(dedup or "") > LONGEST_DEDUP_KEY:
        _refuse(f"'dedup_key' is longer than {LONGEST_DEDUP_KEY} characters")
    if action != "trigger" and not dedup:
        _refuse("'dedup_key' is missing or blank")
    return action


def _checked_payload(event: dict[str, Json], *, needed: bool) -> dict[str, Json]:
    payload = event.get("payload")
    if not needed and payload is None:
        return {}
    if not isinstance(payload, dict):
        _refuse("'payload' is missing or blank")
    if not needed:
        return payload
    for name in ("summary", "source", "severity"):
        if not text_of(payload.get(name)).strip():
            _refuse(f"'payload.{name}' is missing or blank")
    if len(text_of(payload["summary"])) > LONGEST_SUMMARY:
        _refuse(f"'payload.summary' is longer than {LONGEST_SUMMARY} characters")
    if payload["severity"] not in SEVERITIES:
        named = ", ".join(f"'{each}'" for each in SEVERITIES)
        _refuse(f"'payload.severity' is invalid (must be one of the following: {named})")
    return payload


def _labels(payload: dict[str, Json], details: dict[str, Json]) -> dict[str, str]:
    """Those that our details hold as JSON, or what the payload's own fields tell."""
    given = details.get("labels")
    if isinstance(given, str):
        try:
            given = json.loads(given)
        except (ValueError, RecursionError):
            given = None
    if isinstance(given, dict) and given:
        return {str(name): text_of(value) for name, value in given.items()}
    return {name: value for name, at in _FALLBACK.items() if (value := text_of(payload.get(at)))}


def _links(event: dict[str, Json]) -> tuple[Link, ...]:
    links = event.get("links")
    each = [texts_of(link) for link in links] if isinstance(links, list) else []
    return unique_links([safe_link(link.get("text", ""), link.get("href", "")) for link in each])
