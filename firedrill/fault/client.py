"""The /faults routes of the running services, with the stack's token."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx

from firedrill.clients import Refused, Unreachable
from firedrill.errors import EnvironmentProblem, FiredrillError, UsageError

Value = float | int | str


class RunningStack(Protocol):
    """The part of firedrill.stack.Stack that faults use."""

    @property
    def root(self) -> Path: ...
    @property
    def started(self) -> frozenset[str]: ...
    @property
    def settings(self) -> Mapping[str, str]: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...


@dataclass(frozen=True)
class Parameter:
    """A parameter as its service declares it; bounds are inclusive, None where there is none."""

    name: str
    default: Value
    minimum: float | None
    maximum: float | None
    unit: str
    choices: tuple[str, ...]
    help: str


@dataclass(frozen=True)
class Found:
    """A fault as its service shows it; `active` and `expires_at` (unix seconds) are None until it is set."""

    service: str
    name: str
    help: str
    parameters: tuple[Parameter, ...]
    active: Mapping[str, Value] | None
    expires_at: float | None

    @property
    def full_name(self) -> str:
        """service/name, as every command takes it."""
        return f"{self.service}/{self.name}"


class Faults:
    """Asks and tells services.

    Raises EnvironmentProblem without a token or where faults are off, UsageError for what a service does not
    know or allow, Unreachable and Refused.
    """

    def __init__(self, stack: RunningStack, *, http: httpx.Client) -> None:
        token = stack.settings.get("FAULTS_TOKEN", "")
        if not token:
            raise EnvironmentProblem(
                "faults cannot be set", "FAULTS_TOKEN is empty", "firedrill up makes one in .env"
            )
        self._stack, self._http = stack, http
        self._headers = {"Authorization": f"Bearer {token}"}

    def services(self) -> list[str]:
        """The running services that declare faults, by name."""
        slices = self._stack.root / "services"
        return sorted(one for one in self._stack.started if (slices / one / "faults.py").is_file())

    def listed(self, service: str) -> list[Found]:
        """What can be broken in a service, and what is."""
        answer = self._send("GET", service, "")
        return [found_of(service, one) for one in answer.json()["faults"]]

    def set(
        self, service: str, name: str, parameters: Mapping[str, Value], *, ttl_seconds: float | None
    ) -> Found:
        """Break; without `ttl_seconds` for the service's own default. What is set afterwards."""
        body: dict[str, object] = {"parameters": dict(parameters)}
        if ttl_seconds is not None:
            body["ttl_seconds"] = ttl_seconds
        return found_of(service, self._send("PUT", service, f"/{name}", body).json())

    def clear(self, service: str, name: str | None = None) -> None:
        """Heal one fault, or all of a service. No error when nothing is set."""
        self._send("DELETE", service, f"/{name}" if name else "")

    def _send(self, method: str, service: str, path: str, body: object = None) -> httpx.Response:
        if service not in self.services():
            known = ", ".join(self.services()) or "none"
            raise UsageError(
                f"the service {service!r} has no faults here", f"running services that have: {known}",
                "see `firedrill fault list`",
            )  # fmt: skip
        url = f"{self._stack.url(service)}/faults{path}"
        try:
            answer = self._http.request(method, url, json=body, headers=self._headers)
        except httpx.HTTPError as error:
            why = f"{method} {url}: {error or type(error).__name__}"
            raise Unreachable(f"{service} does not answer", why, "see `firedrill status`") from error
        if not answer.is_success:
            raise _refusal(service, path.removeprefix("/"), answer)
        return answer


def _refusal(service: str, name: str, answer: httpx.Response) -> FiredrillError:
    why = _reason(answer)
    if answer.status_code == 404:
        return UsageError(f"{service} has no fault {name!r}", why, f"firedrill fault list {service}")
    if answer.status_code in {413, 422}:
        return UsageError(f"{service}/{name} cannot be set so", why, f"firedrill fault list {service}")
    if answer.status_code in {401, 403}:
        what = f"{service} takes no faults"
        todo = "compare FAULTS_ENABLED, FAULTS_TOKEN and ENVIRONMENT in .env with the running stack; up again"
        return EnvironmentProblem(what, why, todo)
    return Refused(
        f"{service} could not do it", why, f"see `firedrill logs {service}`", status=answer.status_code
    )


def _reason(answer: httpx.Response) -> str:
    try:
        return str(answer.json()["error"]["message"])[:500]
    except (ValueError, KeyError, TypeError):
        return f"HTTP {answer.status_code}: {answer.text[:300]}"


def found_of(service: str, told: Mapping[str, Any]) -> Found:
    """A fault as the /faults route of `service` tells it."""
    active = told["active"]
    return Found(
        service=service,
        name=told["name"],
        help=told["help"],
        parameters=tuple(
            Parameter(
                one["name"], one["default"], one["minimum"], one["maximum"], one["unit"],
                tuple(one["choices"]), one["help"],
            )
            for one in told["parameters"]
        ),
        active=active["parameters"] if active else None,
        expires_at=float(active["expires_at"]) if active else None,
    )  # fmt: skip
