"""A Sentry event turned into a message."""

from collections.abc import Iterator, Mapping

from services.inbox.domain import (
    LONGEST_NAME,
    Json,
    Kind,
    Message,
    Refusal,
    RefusedMessageError,
    Status,
    text_of,
    texts_of,
)

LEVELS = ("debug", "info", "warning", "error", "fatal", "sample")
LONGEST_TITLE = 200
LONGEST_LABEL = 200
MOST_LABELS = 50
LONGEST_SHOWN = 4_000
MOST_FRAMES = 5
_HEAD = ("release", "environment", "transaction", "logger", "server_name", "event_id")


def event_message(event: Mapping[str, Json], project: str) -> Message:
    """The message of one event; RefusedMessageError when its level is none of Sentry's."""
    level = text_of(event.get("level")) or "error"
    if level not in LEVELS:
        raise RefusedMessageError(Refusal.BAD_ENVELOPE, "an event's level must be one of Sentry's")
    exceptions = list(_entries(event.get("exception")))
    said = _said(event, exceptions)
    return Message(
        kind=Kind.SENTRY,
        receiver=f"sentry-{project}"[:LONGEST_NAME],
        channel="",
        status=Status.UNKNOWN,
        title=said.partition("\n")[0][:LONGEST_TITLE],
        text="\n".join([said, *_frames(exceptions)])[:LONGEST_SHOWN],
        severity=level,
        alertnames=(),
        labels=_labels(event, level),
        alerts=(),
        links=(),
        raw=dict(event),
    )


def _said(event: Mapping[str, Json], exceptions: list[Mapping[str, Json]]) -> str:
    """The last exception of a chain, which is the one that was raised last, or else the message."""
    if exceptions:
        kind, value = text_of(exceptions[-1].get("type")), text_of(exceptions[-1].get("value"))
        return ": ".join(part for part in (kind, value) if part) or "exception"
    entry = _object(event.get("logentry")) or _object(event.get("message"))
    text = text_of(entry.get("formatted")) or text_of(entry.get("message"))
    return text or text_of(event.get("message")) or "event"


def _labels(event: Mapping[str, Json], level: str) -> dict[str, str]:
    """What to search by: what is known of the payment, of the trace, and the event's tags, which win."""
    contexts = _object(event.get("contexts"))
    user = _object(event.get("user"))
    labels = {name: text_of(event.get(name)) for name in _HEAD}
    labels |= {
        name: text
        for name, text in texts_of(contexts.get("trace")).items()
        if name in ("trace_id", "span_id")
    }
    labels |= texts_of(contexts.get("payment"))
    labels["user_id"] = text_of(user.get("id"))
    labels |= dict(_tags(event.get("tags")))
    labels["level"] = level
    kept = {name[:LONGEST_LABEL]: text[:LONGEST_LABEL] for name, text in labels.items() if text}
    return dict(sorted(kept.items())[:MOST_LABELS])


def _tags(tags: Json) -> Iterator[tuple[str, str]]:
    """Tags stand in an object or in a list of pairs."""
    if isinstance(tags, dict):
        yield from texts_of(tags).items()
    for pair in tags if isinstance(tags, list) else []:
        if isinstance(pair, list) and len(pair) == 2:
            yield text_of(pair[0]), text_of(pair[1])


def _frames(exceptions: list[Mapping[str, Json]]) -> Iterator[str]:
    """The innermost frames of the last exception, the deepest first."""
    stack = _object(exceptions[-1].get("stacktrace")) if exceptions else {}
    frames = stack.get("frames")
    for frame in reversed(frames[-MOST_FRAMES:] if isinstance(frames, list) else []):
        found = _object(frame)
        place = text_of(found.get("filename")) or text_of(found.get("module"))
        yield f"  {place}:{text_of(found.get('lineno'))} {text_of(found.get('function'))}"


def _entries(value: Json) -> Iterator[Mapping[str, Json]]:
    """Exceptions stand in a list, or in an object with a list."""
    entries = value.get("values") if isinstance(value, dict) else value
    for each in entries if isinstance(entries, list) else []:
        if isinstance(each, dict):
            yield each


def _object(value: Json) -> Mapping[str, Json]:
    return value if isinstance(value, dict) else {}
