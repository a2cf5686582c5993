"""One HTTP call to one backend: bounded in time, with the two ways in which it can fail."""

import asyncio
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from console.sources.sharing import Shared
from firedrill.errors import FiredrillError

Params = Mapping[str, str | int | float]
ANSWER_SECONDS = 5.0
# After a call that ran into its limit, others fail at once for so long: ten panels wait once, not ten times.
REST_SECONDS = 2.0
LOOK_SECONDS = 2.0


class SourceError(FiredrillError):
    """A backend could not be asked, or did not like the question; `name` is the backend's."""

    def __init__(self, name: str, what: str, why: str, todo: str = "") -> None:
        super().__init__(what, why, todo)
        self.name = name


class SourceDown(SourceError):
    """Nothing answers at the backend's address, or not in time."""

    def __init__(self, name: str, why: str) -> None:
        super().__init__(name, f"{name} does not answer", why, "see `make status`")


class SourceRefused(SourceError):
    """The backend answered with an error status."""

    def __init__(self, name: str, why: str, *, status: int = 0) -> None:
        super().__init__(name, f"{name} refused the request", why)
        self.status = status


@dataclass(frozen=True)
class Outage:
    """A backend that does not answer: since when (unix seconds), and why."""

    name: str
    since: float
    why: str


class Health:
    """Which backends did not answer when they were last asked."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._out: dict[str, Outage] = {}

    def answered(self, name: str) -> None:
        """The backend is there (again)."""
        self._out.pop(name, None)

    def failed(self, name: str, why: str) -> None:
        """The backend did not answer; the first of several failures says since when."""
        since = self._out[name].since if name in self._out else self._clock()
        self._out[name] = Outage(name, since, why)

    @property
    def outages(self) -> tuple[Outage, ...]:
        """What does not answer now, by name."""
        return tuple(self._out[name] for name in sorted(self._out))


class Answerer:
    """A backend by name and base address; its methods raise SourceDown and SourceRefused."""

    def __init__(
        self,
        name: str,
        base_url: str,
        *,
        http: httpx.AsyncClient,
        health: Health,
        ready: str = "/health/live",
        seconds: float = ANSWER_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name, self.base_url, self._ready = name, base_url.rstrip("/"), ready
        self._http, self._health, self._seconds, self._clock = http, health, seconds, clock
        self._rests_until, self._rest_why = -1.0, ""

    async def look(self) -> None:
        """Ask whether it is ready; the health knows the answer."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                answer = await self._http.get(self.base_url + self._ready)
        except TimeoutError:
            self._down(f"no answer within {LOOK_SECONDS:g} s at {self.base_url}")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._down(f"{error or type(error).__name__} at {self.base_url}")
        else:
            if answer.is_server_error:
                self._down(f"it says that it is not ready: {_reason(answer)}")
            else:
                self._health.answered(self.name)

    async def get(
        self, path: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The parsed JSON of GET `path`."""
        return await self.send("GET", path, params=params, headers=headers)

    async def send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """The parsed JSON of a call with the JSON `body`; None for an empty answer."""
        if self._clock() < self._rests_until:
            raise SourceDown(self.name, self._rest_why)
        try:
            async with asyncio.timeout(self._seconds):
                answer = await self._http.request(
                    method,
                    self.base_url + path,
                    params=dict(params or {}),
                    json=body,
                    headers=dict(headers or {}),
                )
        except TimeoutError:
            why = f"no answer within {self._seconds:g} s at {self.base_url}"
            self._rests_until, self._rest_why = self._clock() + REST_SECONDS, why
            raise self._down(why) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise self._down(f"{error or type(error).__name__} at {self.base_url}") from error
        return self._read(answer)

    def _down(self, why: str) -> SourceDown:
        self._health.failed(self.name, why)
        return SourceDown(self.name, why)

    def _read(self, answer: httpx.Response) -> Any:
        if answer.status_code in {502, 503, 504}:
            raise self._down(f"it says that it is not ready: {_reason(answer)}")
        self._health.answered(self.name)
        if not answer.is_success:
            raise SourceRefused(self.name, _reason(answer), status=answer.status_code)
        if not answer.content:
            return None
        try:
            return answer.json()
        except ValueError as error:
            why = f"it did not answer in JSON: {error}; it began with {answer.text[:80]!r}"
            raise SourceRefused(self.name, why, status=answer.status_code) from error


class Source:
    """A backend with answers that all viewers share for a moment."""

    def __init__(self, ask: Answerer, *, shared: Shared | None = None) -> None:
        self.ask, self.shared = ask, shared or Shared()

    @property
    def name(self) -> str:
        """The backend's name as people know it."""
        return self.ask.name


def _reason(answer: httpx.Response) -> str:
    """The backend's own message: some wrap it in JSON, some send text."""
    text = answer.text.strip()
    try:
        body = json.loads(text)
    except ValueError:
        return f"HTTP {answer.status_code}: {text[:500] or answer.reason_phrase}"
    if isinstance(body, dict):
        error = body.get("error") or body.get("message") or text
        text = str(error.get("message", error) if isinstance(error, dict) else error)
    return f"HTTP {answer.status_code}: {text[:500]}"
