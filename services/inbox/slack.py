"""A Slack-shaped payload, as Alertmanager sends it, turned into a message."""

import re
from collections.abc import Iterator

from services.inbox.domain import (
    LONGEST_TEXT,
    MOST_ATTACHMENTS,
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
    unique_links,
)
from services.inbox.slack_limits import check_attachment, check_blocks, shows_something

_LINK = re.compile(r"<(https?://[^|>\s]+)(?:\|([^>]*))?>")
_LABEL = re.compile(r"`([A-Za-z_]\w*)=([^`\n]*)`")
_SEVERITY = re.compile(r"\bseverity\W{1,4}(critical|warning|info|none)\b", re.IGNORECASE)
_COLOURS = {"danger": Status.FIRING, "warning": Status.FIRING, "good": Status.RESOLVED}


def parse_slack(content: bytes, path_channel: str | None, receiver: str | None = None) -> Message:
    """The message in `content`; a channel named in the payload wins over that of the path.

    The receiver is the one given, or what Alertmanager wrote into the footer, or the channel.
    RefusedMessageError where Slack refuses: not JSON, no channel, nothing to show, too long, too many.
    """
    payload = _payload(content)
    channel = checked_name(text_of(payload.get("channel")) or path_channel or "")
    attachments = _attachments(payload)
    text = "\n".join(part for part in _texts(payload, attachments) if part)
    if len(text) > LONGEST_TEXT:
        raise RefusedMessageError(
            Refusal.MESSAGE_TOO_LONG, f"the text is longer than {LONGEST_TEXT} characters"
        )
    first = attachments[0] if attachments else {}
    title = _plain(text_of(first.get("title")) or text_of(first.get("fallback")))
    fields = {**_written_labels(text), **dict(_fields(attachments))}
    status, name = _status_and_name(title or text, text_of(first.get("color")))
    name = fields.get("alertname") or fields.get("alert") or name
    severity = fields.get("severity", "").lower() or _severity(f"{title}\n{text}")
    return Message(
        kind=Kind.SLACK,
        receiver=_receiver(receiver, text_of(first.get("footer"))) or channel,
        channel=channel,
        status=status,
        title=title or _plain(text).partition("\n")[0][:200],
        text=_plain(text),
        severity=severity,
        alertnames=(name,) if name else (),
        labels=fields,
        alerts=(),
        links=_links(attachments, text),
        raw=payload,
    )


def _receiver(given: str | None, footer: str) -> str:
    if given:
        return checked_name(given)
    try:
        return checked_name(footer)
    except RefusedMessageError:
        return ""  # a footer may say anything


def _payload(content: bytes) -> dict[str, Json]:
    try:
        payload = read_json(content)
    except ValueError as error:
        raise RefusedMessageError(Refusal.INVALID_PAYLOAD, f"the body is not JSON: {error}") from None
    if not isinstance(payload, dict):
        raise RefusedMessageError(Refusal.INVALID_PAYLOAD, "the body is not a JSON object")
    return payload


def _attachments(payload: dict[str, Json]) -> list[dict[str, Json]]:
    attachments, blocks = payload.get("attachments") or [], payload.get("blocks") or []
    if not isinstance(attachments, list) or not isinstance(blocks, list):
        raise RefusedMessageError(Refusal.INVALID_PAYLOAD, "attachments and blocks must be lists")
    if len(attachments) > MOST_ATTACHMENTS:
        raise RefusedMessageError(Refusal.TOO_MANY_ATTACHMENTS, f"more than {MOST_ATTACHMENTS} attachments")
    if not all(isinstance(each, dict) for each in (*attachments, *blocks)):
        raise RefusedMessageError(Refusal.INVALID_PAYLOAD, "each attachment and block must be an object")
    found = [each for each in attachments if isinstance(each, dict)]
    shows = blocks or text_of(payload.get("text")).strip() or any(map(shows_something, found))
    if not shows:
        raise RefusedMessageError(Refusal.NO_TEXT, "there is no text, no attachment that shows one, no block")
    check_blocks(blocks)
    for attachment in found:
        check_attachment(attachment)
    return found


def _texts(payload: dict[str, Json], attachments: list[dict[str, Json]]) -> Iterator[str]:
    yield text_of(payload.get("text"))
    for block in payload.get("blocks") or []:  # type: ignore[union-attr]  # _attachments has checked it
        inner = block.get("text") if isinstance(block, dict) else None
        yield text_of(inner.get("text")) if isinstance(inner, dict) else text_of(inner)
    for attachment in attachments:
        yield text_of(attachment.get("pretext"))
        yield text_of(attachment.get("text")) or text_of(attachment.get("fallback"))


def _fields(attachments: list[dict[str, Json]]) -> Iterator[tuple[str, str]]:
    for attachment in attachments:
        fields = attachment.get("fields")
        for field in fields if isinstance(fields, list) else []:
            if isinstance(field, dict) and text_of(field.get("title")):
                yield text_of(field["title"]).strip().lower(), text_of(field.get("value")).strip()


def _written_labels(text: str) -> dict[str, str]:
    """What stands as `name=value` between backticks."""
    return {found[1]: _plain(found[2]) for found in _LABEL.finditer(text)}


def _status_and_name(title: str, colour: str) -> tuple[Status, str]:
    status, name = status_and_name(title)
    return (status if status is not Status.UNKNOWN else _COLOURS.get(colour, status)), name


def _severity(text: str) -> str:
    found = _SEVERITY.search(text)
    return found[1].lower() if found else ""


def _plain(text: str) -> str:
    """As Slack shows it: links by their words, and its three escapes undone."""
    shown = _LINK.sub(lambda found: found[2] or found[1], text)
    return shown.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _links(attachments: list[dict[str, Json]], text: str) -> tuple[Link, ...]:
    candidates: list[Link | None] = []
    for attachment in attachments:
        actions = attachment.get("actions")
        for action in actions if isinstance(actions, list) else []:
            if isinstance(action, dict):
                candidates.append(safe_link(text_of(action.get("text")), text_of(action.get("url"))))
    candidates += [safe_link(found[2] or found[1], found[1]) for found in _LINK.finditer(text)]
    candidates += [safe_link("title", text_of(each.get("title_link"))) for each in attachments]
    return unique_links(candidates)
