"""One pure ASGI middleware: request count, duration, in-progress, log line, server span and ids."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI
from opentelemetry import propagate
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from telemetry.errors import error_response
from telemetry.health import QUIET_PATHS
from telemetry.logs import get_logger
from telemetry.masking import mask_text
from telemetry.metrics import Metrics
from telemetry.routes import UNKNOWN, Routes
from telemetry.scope import Place, RequestScope, bound_fields, current_request

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DEFAULT_MAX_BODY = 1024 * 1024
DEFAULT_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 3.0, 5.0, 10.0)
CLIENT_CLOSED = 499
"""The status that is counted when the client went away before there was an answer."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"))
_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,127}")
_PLAIN_ID = re.compile(r"[0-9a-fA-F-]{32,36}")
_log = get_logger("http")


@dataclass(frozen=True, kw_only=True)
class RequestMetricNames:
    """What the request metrics are called, and their labels; None leaves a metric out."""

    requests: str | None = "http_requests_total"
    duration: str | None = "http_request_duration_seconds"
    in_progress: str | None = "http_requests_in_progress"
    method: str = "method"
    endpoint: str = "endpoint"
    status: str = "status"
    buckets: tuple[float, ...] = DEFAULT_BUCKETS


class RequestMetrics:
    """The three request metrics under their names."""

    def __init__(self, metrics: Metrics, names: RequestMetricNames) -> None:
        where = (names.method, names.endpoint)
        self._requests = names.requests and metrics.counter(
            names.requests, "Requests answered, by method, route and status.", (*where, names.status)
        )
        self._duration = names.duration and metrics.histogram(
            names.duration, "Seconds from a request's first byte to its answer's last.", where, buckets=names.buckets
        )
        self._in_progress = names.in_progress and metrics.gauge(
            names.in_progress, "Requests being handled now.", where
        )

    def begin(self, method: str, endpoint: str) -> None:
        """A request arrived."""
        if self._in_progress:
            self._in_progress.add(1, method, endpoint)

    def end(self, method: str, endpoint: str, status: int, seconds: float) -> None:
        """Its answer is complete, or will never be."""
        if self._in_progress:
            self._in_progress.add(-1, method, endpoint)
        if self._requests:
            self._requests.add(1, method, endpoint, status)
        if self._duration:
            self._duration.observe(seconds, method, endpoint)


class BodyTooLarge(HTTPException):
    """The request's body is longer than the service takes; FastAPI passes this type through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes; send less")


class TelemetryMiddleware:
    """Wraps the application; everything it does for a request is finished when the request is."""

    def __init__(
        self, app: App, *, api: FastAPI, place: Place, metrics: RequestMetrics, max_body_bytes: int = DEFAULT_MAX_BODY
    ) -> None:
        self._app = app
        self._routes = Routes(api)
        self._place = place
        self._metrics = metrics
        self._max_body = max_body_bytes
        self._carriers = frozenset(name.encode() for name in propagate.get_global_textmap().fields)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] in QUIET_PATHS:
            # Neither counted, nor logged, nor traced: nor are the checks' own queries.
            with suppress_instrumentation():
                await self._app(scope, receive, send)
        else:
            await _Exchange(self, scope, send).run(receive)


class _Headers:
    """The few request headers that matter here, found in one pass."""

    __slots__ = ("agent", "carrier", "chunked", "host", "length", "request_id")

    def __init__(self, raw: list[tuple[bytes, bytes]], carriers: frozenset[bytes]) -> None:
        self.request_id = self.agent = self.host = ""
        self.length: int | None = None
        self.chunked = False
        self.carrier: dict[str, str] | None = None
        for name, value in raw:
            if name in carriers:
                self._carry(name.decode("latin-1"), value.decode("latin-1"))
            elif name == b"x-request-id":
                self.request_id = value.decode("latin-1")
            elif name == b"user-agent":
                self.agent = value.decode("latin-1")[:256]
            elif name == b"host":
                self.host = value.decode("latin-1")[:256]
            elif name == b"content-length":
                self.length = int(value) if value.isdigit() and len(value) < 20 else None
            elif name == b"transfer-encoding":
                self.chunked = True

    def _carry(self, name: str, value: str) -> None:
        if self.carrier is None:
            self.carrier = {}
        before = self.carrier.get(name)
        self.carrier[name] = value if before is None else f"{before},{value}"

    def context(self) -> Context:
        """The caller's trace context and baggage; an empty one when they are missing or nonsense."""
        if self.carrier is None:
            return Context()
        try:
            return propagate.extract(self.carrier, context=Context())
        except Exception:  # a propagator of OTEL_PROPAGATORS meets whatever a client sends
            return Context()


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "_begun", "_endpoint", "_headers", "_method", "_owner", "_request", "_response_headers", "_scope",
        "_send", "_span", "_started", "_status",
    )  # fmt: skip

    def __init__(self, owner: TelemetryMiddleware, scope: Scope, send: Send) -> None:
        self._owner = owner
        self._scope = scope
        self._send = send
        self._begun = time.perf_counter()
        self._headers = _Headers(scope["headers"], owner._carriers)
        method = scope["method"]
        self._method = method if method in _METHODS else "_OTHER"
        self._endpoint = owner._routes.template(scope)
        self._request = RequestScope(owner._place, accepted_id(self._headers.request_id))
        self._status = 0
        self._started = False

    async def run(self, receive: Receive) -> None:
        """Handle the request; whatever happens, it is counted, logged and its span ended."""
        context = self._headers.context()
        self._span = self._start_span(context)
        trace_id = f"{self._span.get_span_context().trace_id:032x}"
        self._response_headers = [
            (b"x-request-id", self._request.request_id.encode("latin-1")),
            (b"x-trace-id", trace_id.encode("latin-1")),
        ]
        token = attach(set_span_in_context(self._span, context))
        request_token = current_request.set(self._request)
        fields_token = bound_fields.set({"request_id": self._request.request_id})
        metrics = self._owner._metrics
        metrics.begin(self._method, self._endpoint)
        error: BaseException | None = None
        try:
            error = await self._handle(receive)
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - self._begun
            metrics.end(self._method, self._endpoint, self._status, seconds)
            self._end_span(error)
            self._write_line(error, seconds)
            bound_fields.reset(fields_token)
            current_request.reset(request_token)
            detach(token)

    async def _handle(self, receive: Receive) -> BaseException | None:
        """Run the application; an exception that was answered with a 500 is returned."""
        try:
            await self._owner._app(self._scope, self._limited(receive), self._answer)
        except asyncio.CancelledError:
            self._status = self._status or CLIENT_CLOSED
            raise
        except ClientDisconnect as error:
            self._status = self._status if self._started else CLIENT_CLOSED
            return error
        except BodyTooLarge as error:
            if self._started:
                raise
            response = error_response(413, "body_too_large", str(error.detail))
            await response(self._scope, receive, self._answer)
        except Exception as error:
            if self._started:
                # The answer cannot be taken back: the server must break the connection.
                self._status = 500
                raise
            response = error_response(500, "internal_error", "the service failed; it has been logged")
            await response(self._scope, receive, self._answer)
            return error
        if not self._status:  # the application returned without an answer
            self._status = 500
        return None

    async def _answer(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._started = True
            self._status = message["status"]
            message["headers"] = [*message.get("headers", ()), *self._response_headers]
        await self._send(message)

    def _limited(self, receive: Receive) -> Receive:
        """The body's messages, ending in BodyTooLarge when there is more than the service takes."""
        limit = self._owner._max_body
        declared = self._headers.length
        if declared is not None and declared <= limit or declared is None and not self._headers.chunked:
            return receive
        taken = 0

        async def read() -> Message:
            nonlocal taken
            if declared is not None:
                raise BodyTooLarge(limit)
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > limit:
                raise BodyTooLarge(limit)
            return message

        return read

    def _start_span(self, context: Context) -> Span:
        scope = self._scope
        attributes: dict[str, str | int] = {
            "http.request.method": self._method,
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
        }
        name = self._method if self._method != "_OTHER" else "HTTP"
        if self._endpoint != UNKNOWN:
            attributes["http.route"] = self._endpoint
            name = f"{name} {self._endpoint}"
        if query := scope.get("query_string"):
            attributes["url.query"] = query.decode("latin-1")
        if self._headers.agent:
            attributes["user_agent.original"] = self._headers.agent
        if server := scope.get("server"):
            attributes["server.address"] = self._headers.host.rpartition(":")[0] or self._headers.host or server[0]
            if server[1] is not None:
                attributes["server.port"] = server[1]
        if client := scope.get("client"):
            attributes["client.address"] = client[0]
        tracer = self._owner._place.tracer
        assert tracer is not None  # instrument() starts after Telemetry.start()
        return tracer.start_span(name, context, SpanKind.SERVER, attributes)

    def _end_span(self, error: BaseException | None) -> None:
        span = self._span
        if span.is_recording():
            span.set_attribute("http.response.status_code", self._status)
            if isinstance(error, Exception) and not isinstance(error, ClientDisconnect):
                span.record_exception(error)
                span.set_attribute("error.type", type(error).__name__)
                span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {error}")
            elif error is not None:
                span.set_attribute("error.type", type(error).__name__)
            elif self._status >= 500:
                span.set_attribute("error.type", str(self._status))
                span.set_status(StatusCode.ERROR)
        span.end()

    def _write_line(self, error: BaseException | None, seconds: float) -> None:
        fields: dict[str, object] = {
            **self._request.known,
            "method": self._method,
            "path": self._scope["path"],
            "endpoint": self._endpoint,
            "status": self._status,
            "duration_ms": round(seconds * 1000, 3),
        }
        if isinstance(error, asyncio.CancelledError | ClientDisconnect):
            _log.info("Request handled", **fields, outcome="the client went away")
        elif error is not None:
            _log.error("Request handled", **fields, exc=error)
        elif self._status < 500:
            _log.info("Request handled", **fields)
        elif self._status == 503:
            _log.warning("Request handled", **fields)
        else:
            _log.error("Request handled", **fields)


def accepted_id(given: str) -> str:
    """The client's request id when it is one (and no secret in disguise), or else a new one."""
    if given and len(given) <= 128 and _REQUEST_ID.fullmatch(given):
        if _PLAIN_ID.fullmatch(given) or mask_text(given) == given:
            return given
    return uuid.uuid4().hex
