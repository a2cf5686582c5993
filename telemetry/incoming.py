"""What a request brings along: its id, trace context, baggage, size and sender."""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def accepted_id(given: str) -> str:
    """The client's request id when it is a short word and no secret in disguise, or else a new one."""
    if given and _REQUEST_ID.fullmatch(given) and (_PLAIN_ID.fullmatch(given) or mask_text(given) == given):
        return given
    return f"{getrandbits(128):032x}"  # unique is enough; the system's randomness costs a call


class Headers:
    """The few request headers that matter here, found in one pass."""

    __slots__ = ("agent", "carrier", "chunked", "host", "length", "request_id")

    def __init__(self, raw: Iterable[tuple[bytes, bytes]], carriers: frozenset[bytes]) -> None:
        self.request_id = ""
        self.agent = self.host = b""
        self.length: int | None = None
        self.chunked = False
        self.carrier: dict[str, str] | None = None
        for name, value in raw:
            if name == b"host":
                self.host = value
            elif name in carriers:
                self._carry(name.decode("latin-1"), value.decode("latin-1"))
            elif name == b"x-request-id":
                self.request_id = value.decode("latin-1")
            elif name == b"user-agent":
                self.agent = value
            elif name == b"content-length":
                self.length = int(value) if value.isdigit() and len(value) < 20 else None
            elif name == b"transfer-encoding":
                self.chunked = True

    def context(self) -> Context:
        """The caller's trace context and baggage; an empty one when they are missing or nonsense."""
        if self.carrier is None:
            return EMPTY
        try:
            return propagate.extract(self.carrier, context=Context())
        except Exception:  # the propagators of OTEL_PROPAGATORS meet whatever a client sends
            return EMPTY

    def _carry(self, name: str, value: str) -> None:
        if name == "tracestate" and mask_text(value) != value:
            return  # stored beside every span, and passed on: a caller's secret ends here
        if self.carrier is None:
            self.carrier = {}
        before = self.carrier.get(name)
        self.carrier[name] = value if before is None else f"{before},{value}"


@lru_cache(maxsize=256)
def server_of(host: bytes) -> tuple[str, int | None]:
    """Host and port of a Host header; the port is None when it names none."""
    text = host.decode("latin-1")[:256]
    name, _, port = text.rpartition(":")
    if name and port.isdigit() and len(port) < 6:
        return name, int(port)
    return text, None
