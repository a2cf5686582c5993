"""The one request that verify sends to a service, with those that prepare it."""

import json
import re
import secrets
import shlex
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from firedrill.verify.check import Missing, Seen
from firedrill.verify.declared import ProbePlan, Request

AGENT = "firedrill-verify"
_SLOT = re.compile(r"\"\{(\w+)\}\"|\{(\w+)\}")


@dataclass(frozen=True)
class ProbeAnswer:
    """What the service answered to the probe request."""

    status: int
    trace_id: str
    text: str


def filled(text: str, values: Mapping[str, Any], *, is_json: bool = False) -> str:
    """`text` with its placeholders replaced by `values`; names that are not known stay.

    In JSON a placeholder alone between quotes is replaced by the value's own JSON; elsewhere by its text.
    """

    def replace(match: re.Match[str]) -> str:
        whole, inner = match[1], match[2]
        name = whole or inner
        if name not in values:
            return match[0]
        value = values[name]
        if whole:
            return json.dumps(value) if is_json else f'"{value}"'
        return json.dumps(str(value))[1:-1] if is_json else str(value)

    return _SLOT.sub(replace, text)


def fresh_values() -> dict[str, Any]:
    """A number from 1000 to 1100 and a nonce: each request is another one, so that no cache answers it."""
    return {"number": 1000 + secrets.randbelow(10_000_000) / 100_000, "nonce": secrets.token_hex(6)}


class Probe:
    """The one request that verify sends to a service; sent again only while nothing has answered.

    It carries a `traceparent` with the sampled flag, so that its trace is kept at any sample rate. The
    requests that prepare it have traces of their own.
    """

    def __init__(self, plan: ProbePlan, base_url: str, *, http: httpx.Client) -> None:
        self.plan, self._http = plan, http
        self._base = base_url.rstrip("/")
        self.sent_trace_id = self.sent_span_id = ""
        self._answer: ProbeAnswer | None = None
        self._lock = threading.Lock()

    def another(self) -> "Probe":
        """A probe of the same plan that has sent nothing yet."""
        return Probe(self.plan, self._base, http=self._http)

    @property
    def answer(self) -> ProbeAnswer | None:
        """The service's successful answer, None while there is none."""
        return self._answer

    def attempt(self) -> Seen | Missing:
        """Send the request unless it was answered, and judge the answer."""
        with self._lock:
            if self._answer is None:
                failure = self._send_all()
                if failure is not None:
                    return failure
            answer = self._answer
        assert answer is not None  # _send_all left it or returned a failure
        if answer.trace_id != self.sent_trace_id:
            what = f"the answer's X-Trace-Id is {answer.trace_id or 'absent'}, sent was {self.sent_trace_id}"
            return Missing(what, self.curl(), "look at the tracing settings (OTEL_*) of the service")
        return Seen(f"HTTP {answer.status}, trace {answer.trace_id}")

    def _send_all(self) -> Missing | None:
        values = fresh_values()
        for step in self.plan.prepare:
            reply = self._send(step, values, {})
            if isinstance(reply, Missing):
                return reply
            kept = _kept(reply, step)
            if isinstance(kept, Missing):
                return kept
            values |= kept
        self.sent_trace_id, self.sent_span_id = secrets.token_hex(16), secrets.token_hex(8)
        parent = {"traceparent": f"00-{self.sent_trace_id}-{self.sent_span_id}-01"}
        reply = self._send(self.plan.request, values, parent)
        if isinstance(reply, Missing):
            return reply
        self._answer = ProbeAnswer(reply.status_code, reply.headers.get("x-trace-id", ""), reply.text)
        return None

    def _send(
        self, request: Request, values: Mapping[str, Any], headers: Mapping[str, str]
    ) -> httpx.Response | Missing:
        service = self.plan.service
        url = self._base + filled(request.path, values)
        own = {name: filled(value, values) for name, value in request.headers.items()}
        body = filled(request.body, values, is_json=True)
        try:
            reply = self._http.request(
                request.method,
                url,
                content=body or None,
                headers={"content-type": "application/json", "user-agent": AGENT, **headers, **own},
                timeout=10.0,
            )
        except httpx.HTTPError as error:
            what = f"{service} does not answer at {url}: {error or type(error).__name__}"
            return Missing(what, self.curl(), f"see `firedrill logs {service}`")
        if reply.is_success:
            return reply
        what = f"{service} answered HTTP {reply.status_code} to {request.method} {url}: {reply.text[:300]}"
        return Missing(what, self.curl(), f"see `firedrill logs {service}`")

    def curl(self) -> str:
        """A command line that repeats the request (without those that prepare it)."""
        request, values = self.plan.request, fresh_values()
        words = ["curl", "-i", "-X", request.method, self._base + filled(request.path, values)]
        headers = {"content-type": "application/json"} if request.body else {}
        for name, value in (headers | dict(request.headers)).items():
            words += ["-H", f"{name}: {filled(value, values)}"]
        if request.body:
            words += ["-d", filled(request.body, values, is_json=True)]
        return shlex.join(words)


def _kept(reply: httpx.Response, step: Request) -> dict[str, Any] | Missing:
    """The values of an answer that `step` wants to keep, by dotted path."""
    kept = {}
    for name, path in step.save.items():
        try:
            value: Any = reply.json()
            for key in path.split("."):
                value = value[int(key) if isinstance(value, list) else key]
        except (ValueError, KeyError, IndexError, TypeError):
            what = f"the answer to {step.method} {step.path} has no {path}: {reply.text[:300]}"
            return Missing(what, todo="correct `prepare` in the slice's probe.yml")
        kept[name] = value
    return kept
