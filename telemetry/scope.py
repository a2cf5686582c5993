"""What belongs to the request, or else to the process, that runs at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from opentelemetry.context import Context, create_key, get_current

from telemetry.masking import hash_user_id
from telemetry.spans import EMPTY, SPAN_KEY

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer, TracerProvider

    from telemetry.logs import Pipeline

_NOTHING: Mapping[str, object] = MappingProxyType({})


@dataclass(slots=True)
class Place:
    """Where spans and log lines go. A process has one; tests run several side by side."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None
    pipeline: Pipeline | None = None


@dataclass(slots=True)
class RequestScope:
    """One request: its place, its id, and what its handler found out about it."""

    place: Place
    request_id: str
    known: dict[str, object] = field(default_factory=dict)


process_place = Place()
_REQUEST_KEY = create_key("telemetry.request")
_Bound = tuple[RequestScope | None, Mapping[str, object]]
"""Fields, and the request for which they were bound: one that is served meanwhile does not have them."""
_bound: ContextVar[_Bound] = ContextVar("telemetry_bound", default=(None, _NOTHING))


def current_request() -> RequestScope | None:
    """The running request; a context that was not made from the request's own has none."""
    return get_current().get(_REQUEST_KEY)  # type: ignore[return-value]  # nobody else has the key


def context_of_request(span: Span, request: RequestScope, context: Context) -> Context:
    """The context in which a request is handled: that of the caller with its span and the request."""
    own = {SPAN_KEY: span, _REQUEST_KEY: request}
    return Context(own if context is EMPTY else {**context, **own})


def current_place() -> Place:
    """The place of the running request, or the process's own."""
    request = current_request()
    return process_place if request is None else request.place


def fields_of_the_moment() -> Mapping[str, object]:
    """What every line of this moment carries: the request's id and what is bound."""
    request = current_request()
    owner, bound = _bound.get()
    if owner is not request:
        bound = _NOTHING
    return bound if request is None else {"request_id": request.request_id, **bound}


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Add fields to every log line inside the block, and to the request's own line at its end.

    `user_id` is replaced by its SHA-256; a value of None is left out.
    """
    found = {key: value for key, value in fields.items() if value is not None}
    if "user_id" in found:
        found["user_id"] = hash_user_id(found["user_id"])
    request = current_request()
    if request is not None:
        request.known.update(found)
    owner, before = _bound.get()
    token = _bound.set((request, {**before, **found} if owner is request else found))
    try:
        yield
    finally:
        _bound.reset(token)
