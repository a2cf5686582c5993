"""Canaries: requests that carry planted secrets into every service, with a harmless marker beside them."""

import random
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

import httpx

from firedrill.verify.check import Missing, Seen
from firedrill.verify.declared import SECRETS, CanaryWish, Request
from firedrill.verify.planted import Secret, chosen, make_marker, make_secrets
from firedrill.verify.probes import filled, fresh_values


@dataclass(frozen=True)
class Target:
    """A service that gets canaries: its address, and what it declares beyond path, query and header."""

    service: str
    url: str
    wishes: tuple[CanaryWish, ...] = ()


@dataclass(frozen=True)
class Sent:
    """One request on its way: where its marker must be found, and what was answered."""

    service: str
    channel: str
    kinds: tuple[str, ...]
    marker: str
    reaches: tuple[str, ...]
    status: int
    answer: str


@dataclass(frozen=True)
class _Letter:
    channel: str
    kinds: tuple[str, ...]
    marker: str
    reaches: tuple[str, ...]
    request: Request
    values: Mapping[str, object] = field(default_factory=dict)


class Canaries:
    """Sends each request once, when first asked; `planted` and `traces` then say what to look for and where.

    All requests to a service share one trace. Raises nothing: a service that does not answer is a Missing.
    """

    def __init__(self, targets: Sequence[Target], *, http: httpx.Client, seed: int | None = None) -> None:
        self.targets, self._http = tuple(targets), http
        self._chance = random.Random(secrets.randbits(64) if seed is None else seed)  # made-up secrets
        self.planted: tuple[Secret, ...] = make_secrets(self._chance)
        self.traces = {target.service: secrets.token_hex(16) for target in self.targets}
        self.since = 0.0
        self._sent: dict[str, list[Sent]] = {}
        self._lock = threading.Lock()

    @property
    def sent(self) -> tuple[Sent, ...]:
        """What every service has answered; empty until all of them have."""
        if len(self._sent) < len(self.targets):
            return ()
        return tuple(one for target in self.targets for one in self._sent[target.service])

    def markers(self, place: str) -> dict[str, str]:
        """The markers that must be found in a place, each with the service and the way that it went."""
        return {one.marker: f"{one.service} {one.channel}" for one in self.sent if place in one.reaches}

    def attempt(self) -> Seen | Missing:
        """Send what has not been sent; a service that does not answer is asked again by the next attempt."""
        with self._lock:
            self.since = self.since or time.time()
            for target in self.targets:
                if target.service not in self._sent:
                    failure = self._send_all(target)
                    if failure is not None:
                        return failure
        kinds = len(self.planted)
        return Seen(f"{len(self.sent)} requests to {len(self.targets)} services, {kinds} kinds of secrets")

    def _send_all(self, target: Target) -> Missing | None:
        done = []
        for letter in self._letters(target):
            parent = f"00-{self.traces[target.service]}-{secrets.token_hex(8)}-01"
            url = target.url.rstrip("/") + filled(letter.request.path, letter.values)
            own = {name: filled(text, letter.values) for name, text in letter.request.headers.items()}
            body = filled(letter.request.body, letter.values, is_json=True)
            headers = {"content-type": "application/json", **own, "traceparent": parent}
            try:
                reply = self._http.request(
                    letter.request.method, url, content=body or None, headers=headers, timeout=10.0
                )
            except httpx.HTTPError as error:
                what = f"{target.service} does not answer at {target.url}: {error or type(error).__name__}"
                return Missing(what, todo=f"see `firedrill logs {target.service}`")
            done.append(
                Sent(
                    target.service, letter.channel, letter.kinds, letter.marker, letter.reaches,
                    reply.status_code, reply.text,
                )
            )  # fmt: skip
        self._sent[target.service] = done
        return None

    def _letters(self, target: Target) -> Iterator[_Letter]:
        """The requests to one service: a path, a query and headers that nobody knows, and its own wishes."""
        for channel, reaches in (
            ("path", ("logs", "traces")),
            ("query", ("traces",)),
            ("header", ("traces",)),
        ):
            marker = make_marker(self._chance)
            text = " ".join([marker, *(secret.text for secret in self.planted)])
            request = {
                "path": Request("GET", f"/canary/{quote(text, safe='')}"),
                "query": Request("GET", f"/canary?q={quote(text, safe='')}"),
                "header": Request("GET", "/canary", headers=self._headers(text)),
            }[channel]
            yield _Letter(channel, SECRETS, marker, reaches, request)
        for wish in target.wishes:
            fitting = chosen(self.planted, wish.secrets)
            for group in [[secret] for secret in fitting] if wish.each else [fitting]:
                marker = make_marker(self._chance)
                text = (":" if wish.each else " ").join([marker, *(secret.text for secret in group)])
                kinds = tuple(secret.kind for secret in group)
                values = {**fresh_values(), "canary": text}
                yield _Letter(wish.channel, kinds, marker, wish.reaches, wish.request, values)

    def _headers(self, text: str) -> dict[str, str]:
        """The headers that services look at, or that libraries pass on and write down."""
        by_kind = {secret.kind: secret.text for secret in self.planted}
        members = [f"c{number}={quote(text, safe='@:/+')}" for number, text in enumerate(by_kind.values())]
        return {
            "user-agent": text,
            "x-request-id": by_kind["api_key"],
            "authorization": f"Bearer {by_kind['api_key']}",
            "x-api-key": by_kind["aws_key"],
            "cookie": f"session={by_kind['api_key']}; mail={by_kind['email']}",
            "referer": f"http://127.0.0.1/?mail={by_kind['email']}&card={by_kind['card']}",
            "x-forwarded-for": by_kind["phone"],
            "tracestate": ",".join(members),
            "baggage": ",".join(members),
        }
