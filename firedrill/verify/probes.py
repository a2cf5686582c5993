"""What a slice declares about itself in services/<name>/probe.yml, and the one request sent to it."""

import json
import secrets
import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

from firedrill.errors import TopologyError
from firedrill.verify.check import Missing, Seen

# Replaced in each request, so that no cache answers it: a number from 1000 to 1100, or twelve hex digits.
NUMBER, NONCE = '"{number}"', "{nonce}"


@dataclass(frozen=True)
class ExemplarWish:
    """Where an exemplar must be: the probe's own (`exact`), or any fresh one that opens its trace."""

    query: str
    exact: bool


@dataclass(frozen=True)
class ProbePlan:
    """The declared facts of one slice, out of its probe.yml."""

    service: str
    job: str
    method: str
    path: str
    body: str
    moving: tuple[str, ...]
    present: tuple[str, ...]
    messages: tuple[str, ...]
    spans: tuple[str, ...]
    exemplar: ExemplarWish | None


@dataclass(frozen=True)
class ProbeAnswer:
    """What the service answered to the probe request."""

    status: int
    trace_id: str
    text: str


def load_plans(root: Path) -> dict[str, ProbePlan]:
    """The plan of every slice that has one, by service name; raises TopologyError on a bad file."""
    return {path.parent.name: load_plan(path) for path in sorted((root / "services").glob("*/probe.yml"))}


def load_plan(path: Path) -> ProbePlan:
    """One slice's plan; raises TopologyError when the file cannot be read or lacks a key."""
    try:
        return _plan(path.parent.name, yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise TopologyError(
            f"{path} cannot be used", why, "compare it with another slice's probe.yml"
        ) from error


def _plan(service: str, data: Mapping[str, Any]) -> ProbePlan:
    request, metrics, exemplar = data["request"], data["metrics"], data.get("exemplar")
    return ProbePlan(
        service=service,
        job=str(data["job"]),
        method=str(request.get("method", "GET")),
        path=str(request["path"]),
        body=json.dumps(request["body"]) if "body" in request else "",
        moving=tuple(metrics["moving"]),
        present=tuple(metrics.get("present", ())),
        messages=tuple(data["logs"]),
        spans=tuple(data["spans"]),
        exemplar=ExemplarWish(exemplar["query"], bool(exemplar.get("exact", False))) if exemplar else None,
    )


class Probe:
    """The one request that verify sends to a service; sent again only while nothing has answered.

    It carries a `traceparent` with the sampled flag, so that its trace is kept at any sample rate.
    """

    def __init__(self, plan: ProbePlan, base_url: str, *, http: httpx.Client) -> None:
        self.plan, self._http = plan, http
        self.url = base_url.rstrip("/") + plan.path
        self.sent_trace_id = ""
        self._answer: ProbeAnswer | None = None
        self._lock = threading.Lock()

    @property
    def answer(self) -> ProbeAnswer | None:
        """The service's successful answer, None while there is none."""
        return self._answer

    def attempt(self) -> Seen | Missing:
        """Send the request unless it was answered, and judge the answer."""
        with self._lock:
            if self._answer is None:
                failure = self._send()
                if failure is not None:
                    return failure
            answer = self._answer
        assert answer is not None  # _send left it or returned a failure
        if answer.trace_id != self.sent_trace_id:
            what = f"the answer's X-Trace-Id is {answer.trace_id or 'absent'}, sent was {self.sent_trace_id}"
            return Missing(what, self.curl(), "look at the tracing settings (OTEL_*) of the service")
        return Seen(f"HTTP {answer.status}, trace {answer.trace_id}")

    def _send(self) -> Missing | None:
        self.sent_trace_id = secrets.token_hex(16)
        plan, headers = self.plan, self._headers()
        try:
            reply = self._http.request(
                plan.method, self.url, content=self._body() or None, headers=headers, timeout=10.0
            )
        except httpx.HTTPError as error:
            what = f"{plan.service} does not answer at {self.url}: {error or type(error).__name__}"
            return Missing(what, self.curl(), f"see `firedrill logs {plan.service}`")
        if not reply.is_success:
            what = f"{plan.service} answered HTTP {reply.status_code}: {reply.text[:300]}"
            return Missing(what, self.curl(), f"see `firedrill logs {plan.service}`")
        self._answer = ProbeAnswer(reply.status_code, reply.headers.get("x-trace-id", ""), reply.text)
        return None

    def _headers(self) -> dict[str, str]:
        parent = f"00-{self.sent_trace_id}-{secrets.token_hex(8)}-01"
        return {"traceparent": parent, "content-type": "application/json", "user-agent": "firedrill-verify"}

    def _body(self) -> str:
        number = 1000 + secrets.randbelow(10_000_000) / 100_000
        return self.plan.body.replace(NUMBER, str(number)).replace(NONCE, secrets.token_hex(6))

    def curl(self) -> str:
        """A command line that repeats the request."""
        body = (
            f" -H 'content-type: application/json' -d {shlex.quote(self._body())}" if self.plan.body else ""
        )
        return f"curl -i -X {self.plan.method} {self.url}{body}"
