"""One request and its answer, from the first header to the log line."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from time import perf_counter, time_ns
from typing import Any, NamedTuple

from opentelemetry.context import Context, attach, detach
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.util.types import AnyValue
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from telemetry.errors import error_response
from telemetry.incoming import accepted_id, carried, declared_length, hex_of, server_of
from telemetry.logs import settled
from telemetry.rendering import LEVELS, Handled, handled
from telemetry.request_metrics import RequestMetrics, RouteMetrics
from telemetry.routes import UNKNOWN, Routes
from telemetry.scope import Place, RequestScope, context_of_request
from telemetry.spans import EMPTY, NO_SPAN, SAMPLED, IdSpan, RecordedSpan
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
_SERVER = SpanKind.SERVER
_INFO, _WARNING, _ERROR = LEVELS["INFO"], LEVELS["WARNING"], LEVELS["ERROR"]


class BodyTooLargeError(HTTPException):
    """The request's body is longer than the service takes; FastAPI passes this type through."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"the body is larger than {limit} bytes; send less")


class Known(NamedTuple):
    """What is looked up once for each route and method."""

    method: str
    endpoint: str
    span_name: str
    metrics: RouteMetrics


class Site:
    """What all requests of one application have in common."""

    __slots__ = ("app", "carriers", "known", "max_body", "metrics", "place", "root", "routes", "tracer")

    def __init__(
        self,
        app: App,
        place: Place,
        tracer: RecordingTracer | None,
        metrics: RequestMetrics,
        *,
        max_body: int,
        routes: Routes,
        carriers: frozenset[bytes],
    ) -> None:
        self.app = app
        self.place = place
        self.tracer = tracer
        self.root: Callable[[str, SpanKind], IdSpan] = _no_span if tracer is None else tracer.root
        self.metrics = metrics
        self.max_body = max_body
        self.routes = routes
        self.carriers = carriers
        self.known: dict[tuple[str, str], Known] = {}

    def learn(self, given: str, endpoint: str) -> Known:
        """A route and method that were not in `known`; there are few of both."""
        method = given if given in _METHODS else "_OTHER"
        known = self.known.get((method, endpoint))
        if known is None:
            name = method if method != "_OTHER" else "HTTP"
            name = f"{name} {endpoint}" if endpoint != UNKNOWN else name
            known = Known(method, endpoint, name, self.metrics.of(method, endpoint))
            self.known[method, endpoint] = known
        return known


def _no_span(name: str, kind: SpanKind) -> IdSpan:
    return NO_SPAN


class Exchange(RequestScope):
    """One request and its answer.

    What every request does stands in few and long functions: under load a call of a function that
    was not just used costs more than what most of them do.
    """

    __slots__ = (
        "_begun", "_complete", "_context", "_headers", "_route", "_scope", "_send", "_site", "_span",
        "_started", "_status",
    )  # fmt: skip

    def __init__(self, site: Site, scope: Scope, send: Send) -> None:
        self._begun = perf_counter()
        self._site = site
        self._scope = scope
        self._send = send
        self.place = site.place
        self.known = {}
        self._status = 0
        self._started = self._complete = False
        self._headers = headers = dict(scope["headers"])
        where = (scope["method"], site.routes.template(scope))
        self._route = route = site.known.get(where) or site.learn(*where)
        given = headers.get(b"x-request-id")
        if site.carriers.isdisjoint(headers):
            self._context = EMPTY
            self._span = span = site.root(route.span_name, _SERVER)
            self.request_id = accepted_id(given) if given or not span.trace_id else hex_of(span.trace_id)
        else:
            self._context = carried(scope["headers"], site.carriers)
            self._span = self._continued(self._context)
            self.request_id = accepted_id(given)

    async def run(self, receive: Receive) -> None:
        """Handle the request; whatever happens, it is counted, logged and its span ended."""
        site = self._site
        scope = self._scope
        headers = self._headers
        token = attach(context_of_request(self._span, self, self._context))
        site.metrics.begin(self._route.metrics)
        error: BaseException | None = None
        try:
            if b"content-length" in headers or b"transfer-encoding" in headers:
                receive = self._limited(receive)
            try:
                query = scope.get("query_string")
                # The test first: looking for bytes in none costs an exception inside Python.
                if "\x00" in scope["path"] or (query and b"%00" in query):
                    await self._refuse(400, "bad_request", "the URL must not contain NUL characters", receive)
                else:
                    await site.app(scope, receive, self._answer)
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
            self._end(error)
            detach(token)

    def _end(self, error: BaseException | None) -> None:
        """Count the request, end its span, write its line."""
        seconds = perf_counter() - self._begun
        now = time_ns()
        status = self._status
        span = self._span
        trace_id, span_id = span.trace_id, span.span_id
        method, endpoint, _, metrics = self._route
        mark = (trace_id, span_id) if span.flags & SAMPLED else None
        self._site.metrics.end((metrics, status, seconds, mark, now))
        if isinstance(span, RecordedSpan):
            self._end_span(span, error)
        level = _INFO if error is None and status < 500 else self._level_of(error)
        pipeline = self.place.pipeline
        if pipeline is None or level < pipeline.level:
            return
        line = tuple.__new__(Handled, (
            now, level, trace_id, span_id, self.request_id, method, endpoint, status, self._scope["path"],
            seconds,
        ))  # fmt: skip
        plain = error is None and not self.known
        pipeline.put(line if plain else handled(*line, self._more(error)))

    async def _fail(self, error: Exception, receive: Receive) -> Exception | None:
        """Answer an exception that nobody handled."""
        if self._complete:  # what ran after the answer failed; the client has it and saw no error
            return error
        if self._started:  # the answer cannot be taken back: the server must break the connection
            self._status = 500
            raise error
        if isinstance(error, HTTPException) and error.status_code == 413:  # ours, or of an application around
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
                headers.append((b"x-trace-id", hex_of(trace_id).encode("ascii")))
            message = {**message, "headers": headers}
        elif kind == "http.response.body" and not message.get("more_body", False):
            self._complete = True
        return self._send(message)

    def _limited(self, receive: Receive) -> Receive:
        """The body's messages, ending in BodyTooLargeError when there is more than the service takes."""
        limit = self._site.max_body
        declared = declared_length(self._headers)
        if (declared or 0) <= limit and b"transfer-encoding" not in self._headers:
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

    def _continued(self, context: Context) -> IdSpan:
        tracer = self._site.tracer
        return NO_SPAN if tracer is None else tracer.start(self._route.span_name, context, _SERVER)

    def _attributes(self) -> dict[str, AnyValue]:
        scope = self._scope
        headers = self._headers
        attributes: dict[str, AnyValue] = {
            "http.request.method": self._route.method,
            "url.path": scope["path"],
            "url.scheme": scope.get("scheme", "http"),
        }
        if self._route.endpoint != UNKNOWN:
            attributes["http.route"] = self._route.endpoint
        if query := scope.get("query_string"):
            attributes["url.query"] = query.decode("latin-1")
        if agent := headers.get(b"user-agent"):
            attributes["user_agent.original"] = agent.decode("latin-1")[:256]
        reached = scope.get("server")
        given = headers.get(b"host")
        host, port = server_of(given) if given else (reached or ("", None))
        if host:
            attributes["server.address"] = host
        if port is None and reached:
            port = reached[1]
        if port is not None:
            attributes["server.port"] = port
        if client := scope.get("client"):
            attributes["client.address"] = client[0]
        attributes["http.response.status_code"] = self._status
        return attributes

    def _end_span(self, span: RecordedSpan, error: BaseException | None) -> None:
        span.adopt(self._attributes())
        if error is not None:
            if isinstance(error, _GONE):
                span.set_attribute("error.type", type(error).__name__)
            else:
                mark_failed(span, error)
        elif self._status >= 500:
            span.set_attribute("error.type", str(self._status))
            span.set_status(StatusCode.ERROR)
        span.end()

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
