"""One request and its answer, from the first header to the log line."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AnyValue
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from telemetry.errors import error_response
from telemetry.incoming import Headers, accepted_id, server_of
from telemetry.logs import settled
from telemetry.rendering import LEVELS, Handled, handled
from telemetry.request_metrics import RequestMetrics
from telemetry.routes import UNKNOWN, Routes
from telemetry.scope import Place, RequestScope, bound_fields, current_request
from telemetry.spans import NO_SPAN, SAMPLED, IdSpan, RecordedSpan, context_with
from telemetry.tracers import RecordingTracer
from telemetry.traces import mark_failed

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

CLIENT_CLOSED = 499
"""The status that is counted when the client went away before there was an answer."""

_METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE"))
_GONE = (asyncio.CancelledError, ClientDisconnect)
_INFO, _WARNING, _ERROR = LEVELS["INFO"], LEVELS["WARNING"], LEVELS["ERROR"]


class BodyTooLargeError(HTTPException):
    """The request's body is longer than the service takes; FastAPI passes this type through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes; send less")


@dataclass(frozen=True, slots=True)
class Site:
    """What all requests of one application have in common."""

    app: App
    place: Place
    tracer: RecordingTracer | None
    metrics: RequestMetrics
    max_body: int
    routes: Routes
    carriers: frozenset[bytes]


class Exchange(RequestScope):
    """One request and its answer."""

    __slots__ = (
        "_begun", "_complete", "_endpoint", "_headers", "_method", "_scope", "_send", "_site", "_span",
        "_started", "_status",
    )  # fmt: skip

    def __init__(self, site: Site, scope: Scope, send: Send) -> None:
        self._begun = time.perf_counter()
        self._site = site
        self._scope = scope
        self._send = send
        self._headers = Headers(scope["headers"], site.carriers)
        method = scope["method"]
        self._method = method if method in _METHODS else "_OTHER"
        self._endpoint = site.routes.template(scope)
        self.place = site.place
        self.request_id = accepted_id(self._headers.request_id)
        self.known = {}
        self._status = 0
        self._started = self._complete = False

    async def run(self, receive: Receive) -> None:
        """Handle the request; whatever happens, it is counted, logged and its span ended."""
        site = self._site
        context = self._headers.context()
        self._span = span = self._start_span(context)
        token = attach(context_with(span, context))
        request_token = current_request.set(self)
        fields_token = bound_fields.set({"request_id": self.request_id})
        metrics = site.metrics.of(self._method, self._endpoint)
        metrics.begin()
        error: BaseException | None = None
        try:
            try:
                if "\x00" in self._scope["path"] or b"%00" in self._scope.get("query_string", b""):
                    await self._refuse(400, "bad_request", "the URL must not contain NUL characters", receive)
                else:
                    await site.app(self._scope, self._limited(receive), self._answer)
                self._status = self._status or 500  # the application returned without an answer
            except ClientDisconnect as left:
                self._status = self._status or CLIENT_CLOSED
                error = left
            except Exception as failed:
                error = await self._fail(failed, receive)
        except BaseException as raised:
            if isinstance(raised, asyncio.CancelledError):
                self._status = self._status or CLIENT_CLOSED
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - self._begun
            sampled = span.flags & SAMPLED
            metrics.end(self._status, seconds, (span.trace_id, span.span_id) if sampled else None)
            if isinstance(span, RecordedSpan):
                self._end_span(span, error)
            self._write_line(error, seconds)
            bound_fields.reset(fields_token)
            current_request.reset(request_token)
            detach(token)

    async def _fail(self, error: Exception, receive: Receive) -> Exception | None:
        """Answer an exception that nobody handled."""
        if self._complete:  # what ran after the answer failed; the client has it and saw no error
            return error
        if self._started:  # the answer cannot be taken back: the server must break the connection
            self._status = 500
            raise error
        if isinstance(error, BodyTooLargeError):
            await self._refuse(413, "body_too_large", error.detail, receive)
            return None
        await self._refuse(500, "internal_error", "the service failed; this has been logged", receive)
        return error

    async def _refuse(self, status: int, code: str, message: str, receive: Receive) -> None:
        await error_response(status, code, message)(self._scope, receive, self._answer)

    def _answer(self, message: Message) -> Awaitable[None]:
        kind = message["type"]
        if kind == "http.response.start":
            self._started = True
            self._status = message["status"]
            headers = [*message.get("headers", ()), (b"x-request-id", self.request_id.encode("ascii"))]
            if trace_id := self._span.trace_id:  # OTEL_SDK_DISABLED makes none
                headers.append((b"x-trace-id", b"%032x" % trace_id))
            message = {**message, "headers": headers}
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        return self._send(message)

    def _limited(self, receive: Receive) -> Receive:
        """The body's messages, ending in BodyTooLargeError when there is more than the service takes."""
        limit = self._site.max_body
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
        tracer = self._site.tracer
        if tracer is None:
            return NO_SPAN
        method, endpoint = self._method, self._endpoint
        name = method if method != "_OTHER" else "HTTP"
        if endpoint != UNKNOWN:
            name = f"{name} {endpoint}"
        span = tracer.start(name, context, SpanKind.SERVER)
        if isinstance(span, RecordedSpan):
            span.adopt(self._attributes())
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

    def _end_span(self, span: RecordedSpan, error: BaseException | None) -> None:
        span.set_attribute("http.response.status_code", self._status)
        if error is not None:
            if isinstance(error, _GONE):
                span.set_attribute("error.type", type(error).__name__)
            else:
                mark_failed(span, error)
        elif self._status >= 500:
            span.set_attribute("error.type", str(self._status))
            span.set_status(StatusCode.ERROR)
        span.end()

    def _write_line(self, error: BaseException | None, seconds: float) -> None:
        pipeline = self._site.place.pipeline
        level = _INFO if error is None and self._status < 500 else self._level_of(error)
        if pipeline is None or level < pipeline.level:
            return
        span = self._span
        line = Handled(
            time.time_ns(),
            level,
            span.trace_id,
            span.span_id,
            self.request_id,
            self._method,
            self._endpoint,
            self._status,
            self._scope["path"],
            seconds,
        )
        if error is None and not self.known:
            pipeline.put(line)
        else:
            pipeline.put(handled(*line, self._more(error)))

    def _more(self, error: BaseException | None) -> dict[str, object]:
        """What the handler found out about the request, and how it failed."""
        more = {key: settled(key, value) for key, value in self.known.items()}
        if isinstance(error, _GONE):
            more["outcome"] = "the client went away"
        elif error is not None:
            more["exc"] = error
        return more

    def _level_of(self, error: BaseException | None) -> int:
        if error is None:
            return _WARNING if self._status == 503 else _ERROR
        return _INFO if isinstance(error, _GONE) else _ERROR
