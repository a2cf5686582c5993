"""The fault switches of the services: what can be broken, what is, and the switch itself."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from console.sources.http import Answerer, SourceError
from console.sources.sharing import Shared

NOW_TTL = 2.0
Value = float | int | str


@dataclass(frozen=True)
class FaultParameter:
    """A parameter as its service declares it; bounds are inclusive, None where there is none."""

    name: str
    default: Value
    minimum: float | None
    maximum: float | None
    unit: str
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class ServiceFault:
    """A fault as its service shows it; `active` and `expires_at` (unix seconds) are None until it is set."""

    service: str
    name: str
    help: str
    parameters: tuple[FaultParameter, ...]
    active: Mapping[str, Value] | None
    expires_at: float | None

    @property
    def full_name(self) -> str:
        """service/name, as every command takes it."""
        return f"{self.service}/{self.name}"


class FaultSource:
    """The /faults routes of the services; raises SourceDown and SourceRefused of the one that is asked."""

    def __init__(self, services: Mapping[str, Answerer], token: str, *, shared: Shared | None = None) -> None:
        self._services, self._shared = services, shared or Shared()
        self._headers = {"Authorization": f"Bearer {token}"}

    @property
    def services(self) -> tuple[str, ...]:
        """The services that may have faults, by name."""
        return tuple(sorted(self._services))

    async def listed(self, service: str) -> tuple[ServiceFault, ...]:
        """What can be broken in a service, and what is."""
        ask = self._services[service]
        body = await self._shared.get(
            service, NOW_TTL, lambda: ask.get("/faults", headers=self._headers)
        )  # fmt: skip
        return tuple(_fault(service, one) for one in body["faults"])

    async def all(self) -> tuple[tuple[ServiceFault, ...], tuple[SourceError, ...]]:
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

    async def _tried(self, service: str) -> tuple[ServiceFault, ...] | SourceError:
        try:
            return await self.listed(service)
        except SourceError as error:
            return error


def _fault(service: str, told: Any) -> ServiceFault:
    active = told["active"]
    return ServiceFault(
        service,
        told["name"],
        told["help"],
        tuple(
            FaultParameter(
                one["name"], one["default"], one["minimum"], one["maximum"], one["unit"],
                tuple(one["choices"]), one["help"],
            )
            for one in told["parameters"]
        ),
        active["parameters"] if active else None,
        float(active["expires_at"]) if active else None,
    )  # fmt: skip
