"""One HTTP call to one backend, with the two ways in which it can fail."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx

from firedrill.errors import FiredrillError

Params = Mapping[str, str | int | float | Sequence[str]]


class BackendError(FiredrillError):
    """A backend could not be asked, or did not like the question."""


class Unreachable(BackendError):
    """Nothing answers at the backend's address, or not in time."""


class Refused(BackendError):
    """The backend answered with an error status; `why` carries its own words."""

    def __init__(self, what: str, why: str, todo: str = "", *, status: int = 0) -> None:
        super().__init__(what, why, todo)
        self.status = status


def open_http(*, timeout_seconds: float = 5.0) -> httpx.Client:
    """A client for addresses on this machine: no proxy of the environment stands between, no redirects."""
    return httpx.Client(timeout=timeout_seconds, trust_env=False, follow_redirects=False)


class Backend:
    """A backend by name and base address; its methods raise Unreachable and Refused."""

    def __init__(
        self, name: str, base_url: str, *, http: httpx.Client, headers: Mapping[str, str] | None = None
    ) -> None:
        self.name, self.base_url, self._http = name, base_url.rstrip("/"), http
        self._headers = dict(headers or {})

    def url(self, path: str, params: Params | None = None) -> str:
        """The full address, as one would paste it into curl."""
        return str(httpx.URL(self.base_url + path, params=dict(params) if params else None))

    def get(
        self, path: str, params: Params | None = None, *, headers: Mapping[str, str] | None = None
    ) -> Any:
        """The parsed JSON of GET `path`; raises Refused when the answer is an error or not JSON."""
        answer = self._send("GET", path, params=params, headers=headers)
        try:
            return answer.json()
        except ValueError as error:
            text = f"{error}; it began with {answer.text[:80]!r}"
            raise Refused(f"{self.name} did not answer in JSON", text, f"look at {self.url(path)}") from error

    def answers(self, path: str) -> bool:
        """Whether GET `path` is answered with a 2xx status; raises Unreachable and Refused otherwise."""
        return self._send("GET", path).is_success

    def post(self, path: str, body: object) -> None:
        """Send `body` as JSON; raises Unreachable, and Refused when the answer is an error."""
        self._send("POST", path, body=body)

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Params | None = None,
        headers: Mapping[str, str] | None = None,
        body: object = None,
    ) -> httpx.Response:
        address, sent = self.base_url + path, {**self._headers, **(headers or {})}
        try:
            answer = self._http.request(method, address, params=dict(params or {}), headers=sent, json=body)
        except httpx.HTTPError as error:
            why = f"{method} {self.base_url}{path}: {error or type(error).__name__}"
            raise Unreachable(f"{self.name} does not answer", why, "see `firedrill status`") from error
        if answer.is_success:
            return answer
        todo = f"correct the request, or see `firedrill logs {self.name.lower().split()[-1]}`"
        what = f"{self.name} refused the request"
        raise Refused(what, _reason(answer), todo, status=answer.status_code)


def _reason(answer: httpx.Response) -> str:
    """The backend's own message: Prometheus, Jaeger and Grafana wrap it in JSON, Loki and Tempo send text."""
    text = answer.text.strip()
    try:
        body = json.loads(text)
    except ValueError:
        return f"HTTP {answer.status_code}: {text[:500] or answer.reason_phrase}"
    if isinstance(body, dict):
        errors = body.get("errors")
        if isinstance(errors, list) and errors and isinstance(errors[0], dict):
            text = str(errors[0].get("msg", text))
        else:
            text = str(body.get("error") or body.get("message") or text)
    return f"HTTP {answer.status_code}: {text[:500]}"
