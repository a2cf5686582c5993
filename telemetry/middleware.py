"""One pure ASGI middleware: request count, duration, in-progress, log line, server span and ids."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from fastapi import FastAPI
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode, Tracer
from opentelemetry.util.types import AnyValue
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from telemetry.errors import error_response
from telemetry.health import QUIET_PATHS
from telemetry.incoming import Headers, accepted_id, carrier_names, server_of
from telemetry.logs import settled
from telemetry.rendering import LEVELS, Line
from telemetry.request_metrics import RequestMetrics
from telemetry.routes import UNKNOWN, Routes
from telemetry.scope import Place, RequestScope, bound_fields, current_request
from telemetry.spans import NO_SPAN, SAMPLED, IdSpan, RecordedSpan, context_with
from telemetry.traces import mark_failed

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

DEFAULT_MAX_BODY = 1024 * 1024
CLIENT_CLOSED = 499
"""The status that is counted when the client went away before there was an answer."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"))


class BodyTooLargeError(HTTPException):
    """The request's body is longer than the service takes; FastAPI passes this type through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes; send less")


class TelemetryMiddleware:
    """Wraps the application; everything it does for a request is finished when the request is."""

    def __init__(
        self,
        app: App,
        *,
        api: FastAPI,
        place: Place,
        metrics: RequestMetrics,
        max_body_bytes: int = DEFAULT_MAX_BODY,
    ) -> None:
        if place.tracer is None:
            raise ValueError("start the telemetry before it is put around an application")
        self.app = app
        self.place = place
        self.tracer: Tracer = place.tracer
        self.metrics = metrics
        self.max_body = max_body_bytes
        self.routes = Routes(api)
        self.carriers = carrier_names()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            return self.app(scope, receive, send)
        if scope["path"] in QUIET_PATHS:
            return self._quietly(scope, receive, send)
        return _Exchange(self, scope, send).run(receive)

    async def _quietly(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Neither counted, nor logged, nor traced: nor are the checks' own queries."""
        with suppress_instrumentation():
            await self.app(scope, receive, send)


class _Exchange:
    """One request and its answer."""

    __slots__ = (
        "_begun", "_complete", "_endpoint", "_headers", "_method", "_owner", "_request", "_scope",
        "_send", "_span", "_started", "_status",
    )  # fmt: skip

    def __init__(self, owner: TelemetryMiddleware, scope: Scope, send: Send) -> None:
        self._begun = time.perf_counter()
        self._owner = owner
        self._scope = scope
        self._send = send
        self._headers = Headers(scope["headers"], owner.carriers)
        method = scope["method"]
        self._method = method if method in _METHODS else "_OTHER"
        self._endpoint = owner.routes.template(scope)
        self._request = RequestScope(owner.place, accepted_id(self._headers.request_id))
        self._status = 0
        self._started = self._complete = False

    async def run(self, receive: Receive) -> None:
        """Handle the request; whatever happens, it is counted, logged and its span ended."""
        owner = self._owner
        context = self._headers.context()
        self._span = self._start_span(context)
        token = attach(context_with(self._span, context))
        request_token = current_request.set(self._request)
        fields_token = bound_fields.set({"request_id": self._request.request_id})
        owner.metrics.begin(self._method, self._endpoint)
        error: BaseException | None = None
        try:
            error = await self._handle(receive)
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - self._begun
            span = self._span
            mark = (span.trace_id, span.span_id) if span.flags & SAMPLED else None
            owner.metrics.end(self._method, self._endpoint, self._status, seconds, mark)
            if span.is_recording():
                self._end_span(span, error)
            self._write_line(error, seconds)
            bound_fields.reset(fields_token)
            current_request.reset(request_token)
            detach(token)

    async def _handle(self, receive: Receive) -> BaseException | None:
        """Run the application; an exception that needs nothing more from the server is returned."""
        scope = self._scope
        if "\x00" in scope["path"] or b"%00" in scope.get("query_string", b""):
            response = error_response(400, "bad_request", "the URL must not contain NUL characters")
            await response(scope, receive, self._answer)
            return None
        try:
            await self._owner.app(scope, self._limited(receive), self._answer)
        except asyncio.CancelledError:
            self._status = self._status or CLIENT_CLOSED
            raise
        except ClientDisconnect as error:
            self._status = self._status or CLIENT_CLOSED
            return error
        except Exception as error:
            return await self._fail(error, receive)
        self._status = self._status or 500  # the application returned without an answer
        return None

    async def _fail(self, error: Exception, receive: Receive) -> Exception | None:
        """Answer an exception that nobody handled."""
        if self._complete:  # what ran after the answer failed; the client has it and saw no error
            return error
        if self._started:  # the answer cannot be taken back: the server must break the connection
            self._status = 500
            raise error
        if isinstance(error, BodyTooLargeError):
            response = error_response(413, "body_too_large", error.detail)
            await response(self._scope, receive, self._answer)
            return None
        response = error_response(500, "internal_error", "the service failed; this has been logged")
        await response(self._scope, receive, self._answer)
        return error

    def _answer(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start":
            self._started = True
            self._status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._ids()]}
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        return self._send(message)

    def _ids(self) -> list[tuple[bytes, bytes]]:
        """The headers that lead from the answer to the log and the trace."""
        ids = [(b"x-request-id", self._request.request_id.encode("ascii"))]
        if trace_id := self._span.trace_id:  # OTEL_SDK_DISABLED makes none
            ids.append((b"x-trace-id", b"%032x" % trace_id))
        return ids

    def _limited(self, receive: Receive) -> Receive:
        """The body's messages, ending in BodyTooLargeError when there is more than the service takes."""
        limit = self._owner.max_body
        declared = self._headers.length
        if (declared or 0) <= limit and not self._headers.chunked:
            return receive
        taken = declared or 0

        async def read() -> Message:
            nonlocal taken
            if taken <= limit:
                message = await receive()
                taken += len(message.get("body", b""))
                if taken <= limit:
                    return message
            raise BodyTooLargeError(limit)

        return read

    def _start_span(self, context: Context) -> IdSpan:
        method = self._method
        name = method if method != "_OTHER" else "HTTP"
        endpoint = self._endpoint
        if endpoint != UNKNOWN:
            name = f"{name} {endpoint}"
        span = self._owner.tracer.start_span(name, context, SpanKind.SERVER)
        if isinstance(span, RecordedSpan):
            span.adopt(self._attributes())
        elif not isinstance(span, IdSpan):  # OTEL_SDK_DISABLED
            return NO_SPAN
        return span

    def _attributes(self) -> dict[str, AnyValue]:
        scope = self._scope
        headers = self._headers
        attributes: dict[str, AnyValue] = {
            "http.request.method": self._method,
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
        }
        if self._endpoint != UNKNOWN:
            attributes["http.route"] = self._endpoint
        if query := scope.get("query_string"):
            attributes["url.query"] = query.decode("latin-1")
        if headers.agent:
            attributes["user_agent.original"] = headers.agent.decode("latin-1")[:256]
        reached = scope.get("server")
        host, port = server_of(headers.host) if headers.host else (reached or ("", None))
        if host:
            attributes["server.address"] = host
        if port is None and reached:
            port = reached[1]
        if port is not None:
            attributes["server.port"] = port
        if client := scope.get("client"):
            attributes["client.address"] = client[0]
        return attributes

    def _end_span(self, span: IdSpan, error: BaseException | None) -> None:
        span.set_attribute("http.response.status_code", self._status)
        if isinstance(error, asyncio.CancelledError | ClientDisconnect):
            span.set_attribute("error.type", type(error).__name__)
        elif error is not None:
            mark_failed(span, error)
        elif self._status >= 500:
            span.set_attribute("error.type", str(self._status))
            span.set_status(StatusCode.ERROR)
        span.end()

    def _write_line(self, error: BaseException | None, seconds: float) -> None:
        pipeline = self._owner.place.pipeline
        level = self._level(error)
        if pipeline is None or level < pipeline.level:
            return
        request = self._request
        fields: dict[str, object] = {"request_id": request.request_id}
        for key, value in request.known.items():
            fields[key] = settled(key, value)
        fields["method"] = self._method
        fields["path"] = self._scope["path"]
        fields["endpoint"] = self._endpoint
        fields["status"] = self._status
        fields["duration_ms"] = round(seconds * 1000, 3)
        if isinstance(error, asyncio.CancelledError | ClientDisconnect):
            fields["outcome"] = "the client went away"
        elif error is not None:
            fields["exc"] = error
        span = self._span
        ids = (span.trace_id, span.span_id)
        pipeline.put(Line(time.time_ns(), level, "http", "Request handled", *ids, fields))

    def _level(self, error: BaseException | None) -> int:
        if isinstance(error, asyncio.CancelledError | ClientDisconnect):
            return LEVELS["INFO"]
        if error is None and self._status < 500:
            return LEVELS["INFO"]
        return LEVELS["WARNING"] if error is None and self._status == 503 else LEVELS["ERROR"]
