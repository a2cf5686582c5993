"""What leaves in a Sentry event, after the one masker has seen all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.trace import get_current_span

from telemetry.masking import hash_user_id, mask_pair, mask_text, mask_value

LEVELS: Final = ("warning", "error", "fatal")
_SETTINGS: Final = frozenset((
    "event_id", "timestamp", "start_timestamp", "type", "platform", "release", "environment", "dist", "sdk",
    "server_name",
))  # fmt: skip
"""Written by the SDK from settings: a release such as fds@1.0.rc1 must not pass for an e-mail address."""
_LEFT_OUT: Final = frozenset(("_meta", "modules", "threads"))
_LISTS: Final = frozenset(("exception", "breadcrumbs"))


def masked_event(event: Mapping[str, Any]) -> dict[str, Any]:
    """A masked copy of an event or a transaction, as the SDK gives it to before_send.

    Each part is masked on its own: the masker's limits hold for one exception, one breadcrumb or
    one span, so that a long stack does not push out what comes after it.
    """
    masked: dict[str, Any] = {}
    for key, value in event.items():
        if key in _SETTINGS:
            masked[key] = value
        elif key in _LISTS and isinstance(value, Mapping):
            masked[key] = {"values": [_entry(each) for each in value.get("values") or ()]}
        elif key == "spans" and isinstance(value, list):
            masked[key] = [mask_value(each) for each in value]
        elif key == "contexts" and isinstance(value, Mapping):
            masked[key] = {mask_text(str(name)): mask_pair(str(name), each) for name, each in value.items()}
        elif key == "user":
            masked.update(_user(value))
        elif key == "level":
            masked[key] = value if value in LEVELS else "error"
        elif key not in _LEFT_OUT:
            masked[key] = mask_pair(key, value)
    return masked


def with_trace(event: dict[str, Any]) -> dict[str, Any]:
    """The event with the ids of the active OpenTelemetry span, under which Tempo and Jaeger know it."""
    context = get_current_span().get_span_context()
    if context.is_valid:
        trace = {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        event["contexts"] = {**(event.get("contexts") or {}), "trace": trace}
        event["tags"] = {**(event.get("tags") or {}), "trace_id": trace["trace_id"]}
    return event


def masked_breadcrumb(breadcrumb: Mapping[str, Any]) -> dict[str, Any]:
    """A masked copy of a breadcrumb, as before_breadcrumb gets it; its time stays."""
    return {
        key: value if key in ("timestamp", "type") else mask_pair(key, value)
        for key, value in breadcrumb.items()
    }


def _entry(value: object) -> object:
    """An exception or breadcrumb; local variables go, should anybody have switched them on."""
    if isinstance(value, Mapping):
        stack = value.get("stacktrace")
        if isinstance(stack, Mapping):
            frames = [
                {name: each for name, each in frame.items() if name != "vars"}
                for frame in stack.get("frames") or ()
            ]
            value = {**value, "stacktrace": {"frames": frames}}
    return mask_value(value)


def _user(value: object) -> dict[str, Any]:
    """Only a user's hashed id leaves: no name, no e-mail address, no IP address."""
    found = value.get("id") if isinstance(value, Mapping) else None
    return {"user": {"id": hash_user_id(found)}} if found not in (None, "") else {}
