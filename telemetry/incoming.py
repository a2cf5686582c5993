"""What a request brings along: its id, trace context, baggage, size and sender."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from random import getrandbits

from opentelemetry import propagate
from opentelemetry.context import Context

from telemetry.masking import mask_text
from telemetry.spans import EMPTY

_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_PLAIN_ID = re.compile(r"[0-9a-fA-F-]{32,36}")


def carrier_names() -> frozenset[bytes]:
    """The headers in which OTEL_PROPAGATORS carry context, such as traceparent and baggage."""
    return frozenset(name.lower().encode() for name in propagate.get_global_textmap().fields)


def hex_of(number: int) -> str:
    """A trace id as 32 lower-case hex digits."""
    return number.to_bytes(16, "big").hex()


def accepted_id(given: bytes | None) -> str:
    """The client's request id when it is a short word and no secret in disguise, or else a new one."""
    text = given.decode("latin-1") if given else ""
    if text and _REQUEST_ID.fullmatch(text) and (_PLAIN_ID.fullmatch(text) or mask_text(text) == text):
        return text
    return hex_of(getrandbits(128))  # unique is enough; the system's randomness costs a call


def declared_length(headers: Mapping[bytes, bytes]) -> int | None:
    """The length of the body as the client declares it."""
    given = headers.get(b"content-length", b"")
    return int(given) if given.isdigit() and len(given) < 20 else None


def carried(raw: Iterable[tuple[bytes, bytes]], carriers: frozenset[bytes]) -> Context:
    """The caller's trace context and baggage; an empty one when they are missing or nonsense."""
    carrier: dict[str, str] = {}
    for header, value in raw:
        if header not in carriers:
            continue
        name, text = header.decode("latin-1"), value.decode("latin-1")
        if name == "tracestate" and mask_text(text) != text:
            continue  # stored beside every span, and passed on: a caller's secret ends here
        before = carrier.get(name)
        carrier[name] = text if before is None else f"{before},{text}"
    try:
        return propagate.extract(carrier, context=Context())
    except Exception:  # the propagators of OTEL_PROPAGATORS meet whatever a client sends
        return EMPTY


@lru_cache(maxsize=256)
def server_of(host: bytes) -> tuple[str, int | None]:
    """Host and port of a Host header; the port is None when it names none."""
    text = host.decode("latin-1")[:256]
    name, _, port = text.rpartition(":")
    if name and port.isdigit() and len(port) < 6:
        return name, int(port)
    return text, None
