"""Middleware that turns requests away at once when there are more than the service can answer in time."""

import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from limits.gate import REFUSALS, Gate, Refusal, RequestLimits
from telemetry.errors import error_response
from telemetry.logs import bind
from telemetry.metrics import Metrics

LIMITED: Final = "/api/"
"""What begins with this is limited. Health, metrics and the fault switch must answer most when it is busy."""
RETRY_AFTER_SECONDS: Final = 1

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class LoadShedding:
    """Stands inside the telemetry, which counts and logs what is shed, and outside of everything else.

    What is shed was not begun: nothing is written, and the same request may come again. `told` hears the
    scope of each.
    """

    def __init__(
        self,
        app: App,
        *,
        limits: RequestLimits,
        metrics: Metrics,
        told: Callable[[Scope], None] = lambda _: None,
    ) -> None:
        self.app, self._told = app, told
        self._gate = Gate(limits) if limits.running else None
        self._retry_after = max(RETRY_AFTER_SECONDS, math.ceil(limits.wait_seconds))
        self._shed = metrics.counter(
            "http_requests_shed_total", "Requests turned away because of too many others.", ("reason",)
        )
        self._shed.preset(*((reason,) for reason in REFUSALS))
        waiting = metrics.gauge("http_requests_waiting", "Requests that wait for a place.")
        waiting.set(0)
        if (gate := self._gate) is not None:
            metrics.before_expose(lambda: waiting.set(gate.waiting))

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Handle one ASGI connection."""
        gate = self._gate
        if gate is None or scope["type"] != "http" or not scope["path"].startswith(LIMITED):
            await self.app(scope, receive, send)
            return
        if not gate.enter_at_once() and (refusal := await gate.wait()) is not None:
            await self._refuse(refusal, scope, receive, send)
            return
        try:
            await self.app(scope, receive, send)
        finally:
            gate.leave()

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Any, send: Any) -> None:
        self._shed.add(1, refusal)
        self._told(scope)
        message = f"more requests than can be answered in time; try again in {self._retry_after} s"
        with bind(shed=refusal):
            answer = error_response(
                503, "overloaded", message, headers={"Retry-After": str(self._retry_after)}
            )
            await answer(scope, receive, send)
