"""What belongs to the request, or else to the process, that runs at this moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.masking import hash_user_id

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer, TracerProvider

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
current_request: ContextVar[RequestScope | None] = ContextVar("telemetry_request", default=None)
bound_fields: ContextVar[Mapping[str, object]] = ContextVar("telemetry_bound", default=_NOTHING)


def current_place() -> Place:
    """The place of the running request, or the process's own."""
    request = current_request.get()
    return process_place if request is None else request.place


@contextmanager
def bind(**fields: object) -> Iterator[None]:
    """Add fields to every log line inside the block, and to the request's own line at its end.

    `user_id` is replaced by its SHA-256; a value of None is left out.
    """
    found = {key: value for key, value in fields.items() if value is not None}
    if "user_id" in found:
        found["user_id"] = hash_user_id(found["user_id"])
    request = current_request.get()
    if request is not None:
        request.known.update(found)
    token = bound_fields.set({**bound_fields.get(), **found})
    try:
        yield
    finally:
        bound_fields.reset(token)
