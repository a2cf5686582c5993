"""What leaves the process of a span: every text masked, every value one that OTLP can hold."""

from __future__ import annotations

from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, Status
from opentelemetry.util.types import AnyValue, Attributes

from telemetry.masking import mask_pair, mask_text
from telemetry.spans import RecordedSpan


def readable(span: RecordedSpan) -> ReadableSpan:
    """The finished span, masked, as exporters other than our own want it."""
    return ReadableSpan(
        name=text(span.name),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=masked(span.attributes),
        events=[Event(text(event.name), masked(event.attributes), event.timestamp) for event in span.events],
        links=[Link(link.context, masked(link.attributes)) for link in span.links],
        kind=span.kind,
        status=_masked_status(span.status),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _masked_status(status: Status) -> Status:
    if not status.description:
        return status
    return Status(status.status_code, text(status.description))


def masked(attributes: Attributes) -> dict[str, AnyValue]:
    """A masked copy."""
    return {text(key): masked_attribute(key, value) for key, value in (attributes or {}).items()}


def masked_attribute(key: str, value: AnyValue) -> AnyValue:
    """The masked form of the value of one attribute."""
    shown = mask_pair(key, value)
    if isinstance(shown, list | tuple):
        # An attribute's items are all of one type.
        old = [*value] if isinstance(value, list | tuple) else []
        same = all(type(item) is type(before) for item, before in zip(shown, old, strict=False))
        return tuple(_plain(item) if same else text(str(item)) for item in shown)
    return _plain(shown)


def _plain(value: object) -> AnyValue:
    """What OTLP can hold; anything else would make it refuse the whole batch."""
    if isinstance(value, bool | float) or value is None:
        return value
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    return _encodable(str(value))


def text(given: str) -> str:
    """The text without secrets, as UTF-8 can hold it."""
    return _encodable(mask_text(given))


def _encodable(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
