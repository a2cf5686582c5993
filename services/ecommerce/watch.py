"""Counts requests that end in 5xx by their cause, and answers those for which PostgreSQL is missing."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.responses import Response

from services.ecommerce.ports import StoreUnavailableError
from services.ecommerce.signals import Signals
from telemetry.errors import error_response
from telemetry.routes import Routes

RETRY_AFTER_SECONDS: Final = 2

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class CountedFailures:
    """ASGI middleware: an exception that nobody handles is counted and passed on to telemetry's."""

    def __init__(self, app: App, *, routes: Routes, signals: Signals) -> None:
        self.app, self._routes, self._signals = app, routes, signals

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""
        try:
            await self.app(scope, receive, send)
        except Exception:
            if scope["type"] == "http":
                self._signals.failed("internal", self._routes.template(scope))
            raise


def answer_without_store(app: FastAPI, *, routes: Routes, signals: Signals) -> None:
    """Turn StoreUnavailableError, wherever a route meets it, into a counted 503 with Retry-After."""

    async def unavailable(request: Request, error: Exception) -> Response:
        assert isinstance(error, StoreUnavailableError)
        signals.failed(error.trouble, routes.template(request.scope))
        signals.store_missed(error)
        message = f"the shop's database is unavailable; try again in {RETRY_AFTER_SECONDS} s"
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return error_response(503, "unavailable", message, headers=headers)

    app.add_exception_handler(StoreUnavailableError, unavailable)
