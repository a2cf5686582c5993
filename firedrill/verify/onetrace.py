"""One request, one trace: spans and log lines of every service that it passes, under one trace id."""

import shlex
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping

from firedrill.clients import Loki, Span, Trace, TraceBackend
from firedrill.switches import PROMTAIL
from firedrill.verify.check import Attempt, Check, Missing, Seen
from firedrill.verify.declared import TraceWish
from firedrill.verify.probes import Probe

RESEND_SECONDS = 5.0
MOST_REQUESTS = 4
_REDIS = ("redis", "valkey")


class Passage:
    """The request whose trace is looked at; another one is sent when this one took another way.

    A peer that has only just started may have been passed over (fds goes on without ml, a shop without
    fds): what is to be proven is the wiring, so a stored trace that lacks a service after RESEND_SECONDS is
    given up for a new request, MOST_REQUESTS in all.
    """

    def __init__(
        self, probe: Probe, again: Callable[[], Probe], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._probe, self._again, self._clock = probe, again, clock
        self._requests = 1
        self._answered_at: float | None = None
        self._lock = threading.Lock()

    def current(self) -> Probe | Missing:
        """The probe whose trace counts now, once it was answered."""
        with self._lock:
            if self._probe.answer is None:
                if self._requests == 1:  # its own check sends it
                    return _unanswered(self._probe)
                found = self._probe.attempt()
                if isinstance(found, Missing):
                    return found
            if self._answered_at is None:
                self._answered_at = self._clock()
            return self._probe

    def took_another_way(self, probe: Probe) -> None:
        """A stored trace of `probe` lacks a service."""
        with self._lock:
            waited = 0.0 if self._answered_at is None else self._clock() - self._answered_at
            if probe is self._probe and waited >= RESEND_SECONDS and self._requests < MOST_REQUESTS:
                self._probe, self._answered_at = self._again(), None
                self._requests += 1


def checks_of(
    probe: Probe,
    stores: Mapping[str, TraceBackend],
    loki: Loki | None,
    *,
    since: float,
    shipper: str = PROMTAIL,
) -> list[Check]:
    """The checks of the trace that the probe's plan declares; none when it declares none."""
    wish = probe.plan.trace
    if wish is None:
        return []
    service, passage = probe.plan.service, Passage(probe, probe.another)
    found = [
        Check(
            f"{service}: one trace in {name}",
            _in_store(passage, wish, store),
            (*wish.services, "collector", name),
        )
        for name, store in stores.items()
    ]
    if loki is not None:
        attempt = _in_logs(passage, wish, loki, since, shipper)
        found.append(Check(f"{service}: one trace in logs", attempt, (*wish.services, shipper, "loki")))
    return found


def _in_store(passage: Passage, wish: TraceWish, store: TraceBackend) -> Attempt:
    def attempt() -> Seen | Missing:
        probe = passage.current()
        if isinstance(probe, Missing):
            return probe
        trace_id = probe.sent_trace_id
        stored = store.trace(trace_id)
        if stored is None:
            return Missing(f"{store.name} has no trace {trace_id}", f"firedrill trace {trace_id}")
        lacking = _lacking(stored, wish, parent=probe.sent_span_id)
        if lacking:
            passage.took_another_way(probe)
            what = f"the trace in {store.name} has {len(stored.spans)} spans; {'; '.join(lacking)}"
            todo = f"see `firedrill logs collector` and those of {', '.join(wish.services)}"
            return Missing(what, f"firedrill trace {trace_id}", todo)
        told = Counter(span.service for span in stored.spans)
        return Seen(", ".join(f"{name} {told[name]} spans" for name in wish.services))

    return attempt


def _lacking(stored: Trace, wish: TraceWish, *, parent: str) -> list[str]:
    """What the trace lacks, in words; a span whose parent is missing is not part of one request's tree."""
    lacking = []
    services = {span.service for span in stored.spans}
    if absent := [name for name in wish.services if name not in services]:
        lacking.append(f"no span of {', '.join(absent)}")
    names = {span.name for span in stored.spans}
    if absent := [name for name in wish.spans if name not in names]:
        lacking.append(f"absent: {', '.join(absent)}")
    if absent := [kind for kind in wish.kinds if not any(is_kind(span, kind) for span in stored.spans)]:
        lacking.append(f"no client span of kind {', '.join(absent)}")
    known = {span.span_id for span in stored.spans} | {parent, ""}
    if orphans := sorted(
        {f"{span.service} {span.name}" for span in stored.spans if span.parent not in known}
    ):
        lacking.append(f"the parent is missing of {', '.join(orphans[:5])}")
    return lacking


def is_kind(span: Span, kind: str) -> bool:
    """Whether a span is a client's call of a database (sql), a cache (redis) or a peer (http)."""
    if span.kind != "client":
        return False
    system = span.attributes.get("db.system.name") or span.attributes.get("db.system", "")
    if kind == "http":
        return "http.request.method" in span.attributes
    return system in _REDIS if kind == "redis" else bool(system) and system not in _REDIS


def _in_logs(passage: Passage, wish: TraceWish, loki: Loki, since: float, shipper: str) -> Attempt:
    def attempt() -> Seen | Missing:
        probe = passage.current()
        if isinstance(probe, Missing):
            return probe
        logql = f'{{service=~"{"|".join(wish.services)}"}} | trace_id="{probe.sent_trace_id}"'
        lines = loki.search(logql, start=since - 5, end=time.time() + 5, limit=500).lines
        told = Counter(line.labels.get("service", "") for line in lines)
        absent = [name for name in wish.services if not told[name]]
        if absent:
            what = f"{len(lines)} lines with the trace id in Loki, none of {', '.join(absent)}"
            todo = (
                f"see `firedrill logs {absent[0]}` for whether it wrote any, then `firedrill logs {shipper}`"
            )
            return Missing(what, f"firedrill search {shlex.quote(logql)}", todo)
        return Seen(", ".join(f"{name} {told[name]} lines" for name in wish.services))

    return attempt


def _unanswered(probe: Probe) -> Missing:
    return Missing(f"{probe.plan.service} has not answered the request of verify, see the check of that name")
