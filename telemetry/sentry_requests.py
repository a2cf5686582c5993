"""ASGI middleware that reports what no handler expected; it changes neither requests nor answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from telemetry.sentry import capture_exception_with_context, request_scope

_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_App = Callable[[_Scope, _Receive, _Send], Awaitable[None]]


class ReportedRequests:
    """Reports an exception with its method and route, and passes it on."""

    def __init__(self, app: _App) -> None:
        self._app = app

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with request_scope():
            try:
                await self._app(scope, receive, send)
            except (HTTPException, ClientDisconnect):
                raise  # an answer, and a client that left
            except Exception as error:
                route = getattr(scope.get("route"), "path", "unknown")
                capture_exception_with_context(error, method=scope["method"], route=route)
                raise
