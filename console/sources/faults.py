"""The fault switches of the services: what can be broken, what is, and the switch itself."""

import asyncio
from collections.abc import Mapping

from console.sources.http import Answerer, SourceError
from console.sources.sharing import Shared
from firedrill.fault.client import Found, Value, found_of

NOW_TTL = 2.0


class FaultSource:
    """The /faults routes of the services; raises SourceDown and SourceRefused of the one that is asked."""

    def __init__(self, services: Mapping[str, Answerer], token: str, *, shared: Shared | None = None) -> None:
        self._services, self._shared = services, shared or Shared()
        self._headers = {"Authorization": f"Bearer {token}"}

    @property
    def services(self) -> tuple[str, ...]:
        """The services that may have faults, by name."""
        return tuple(sorted(self._services))

    async def listed(self, service: str) -> tuple[Found, ...]:
        """What can be broken in a service, and what is."""
        ask = self._services[service]
        body = await self._shared.get(
            service, NOW_TTL, lambda: ask.get("/faults", headers=self._headers)
        )  # fmt: skip
        return tuple(found_of(service, one) for one in body["faults"])

    async def all(self) -> tuple[tuple[Found, ...], tuple[SourceError, ...]]:
        """What can be broken anywhere, and the errors of services that could not be asked."""
        answers = await asyncio.gather(*(self._tried(service) for service in self.services))
        found = tuple(one for answer in answers if isinstance(answer, tuple) for one in answer)
        return found, tuple(answer for answer in answers if isinstance(answer, SourceError))

    async def set(
        self, service: str, name: str, parameters: Mapping[str, Value], *, ttl_seconds: float | None
    ) -> None:
        """Break; without `ttl_seconds` for the service's own default."""
        body: dict[str, object] = {"parameters": dict(parameters)}
        if ttl_seconds is not None:
            body["ttl_seconds"] = ttl_seconds
        await self._send("PUT", service, f"/{name}", body)

    async def clear(self, service: str, name: str | None = None) -> None:
        """Heal one fault, or all of a service. No error when nothing is set."""
        await self._send("DELETE", service, f"/{name}" if name else "")

    async def _send(self, method: str, service: str, path: str, body: object = None) -> None:
        try:
            await self._services[service].send(
                method, f"/faults{path}", body=body, headers=self._headers
            )  # fmt: skip
        finally:
            self._shared.clear()

    async def _tried(self, service: str) -> tuple[Found, ...] | SourceError:
        try:
            return await self.listed(service)
        except SourceError as error:
            return error
