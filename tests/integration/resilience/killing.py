"""Kills components under load, and follows what the services count of their spans meanwhile."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from firedrill.wait import poll_until
from tests.integration.resilience.evidence import SpanCounts, span_counts
from tests.integration.resilience.load import Answer, Load

SERVICES = ("ecommerce", "fds", "judgment", "workflow", "admin", "ml", "inbox")
BEFORE_SECONDS = 1.5  # of load before the kill
AFTER_SECONDS = 1.5  # of load after everything is good again
LEAST_SECONDS = 4.0
READY_SECONDS = 60.0
QUEUED_SECONDS = 6.0  # a process holds ended spans for 5 s at most


@dataclass(frozen=True)
class Death:
    """One component's death: when, what was answered meanwhile, and what the processes counted."""

    component: str
    killed: float
    ready: float
    began: float
    ended: float
    answers: list[Answer]
    lost: dict[str, float] = field(default_factory=dict)

    def good(self) -> float:
        """When the last bad answer after the kill had passed; the kill itself without one."""
        bad = [one.at for one in self.answers if not one.accepted and one.at >= self.killed]
        return max(bad, default=self.killed)

    def of_others(self) -> list[Answer]:
        """The answers of those that were not killed."""
        return [one for one in self.answers if one.service != self.component]


class Counts:
    """Follows what the processes count of their spans, over their restarts."""

    def __init__(self, live: Any) -> None:
        self._live = live
        self._urls = {service: live.view().url(service) for service in SERVICES}
        self._last = self._read()
        self.created = dict.fromkeys(SERVICES, 0.0)

    def _read(self) -> Mapping[str, SpanCounts | None]:
        return {service: span_counts(self._live.http, url) for service, url in self._urls.items()}

    def advance(self, *, restarted: str = "") -> dict[str, float]:
        """Take a reading; the spans that each service has counted as dropped since the one before."""
        lost, now = {}, self._read()
        for service, read in now.items():
            before = self._last[service]
            new = read or before or SpanCounts()
            old = SpanCounts() if before is None or service == restarted else before
            self.created[service] += new.exported + new.dropped - old.exported - old.dropped
            lost[service] = new.dropped - old.dropped
        self._last = now
        return lost


@dataclass(frozen=True)
class Seen:
    """A component at one moment; `since` in unix seconds, from when on it is as it is."""

    pid: int
    ready: bool
    since: float
    detail: str


def kill_under_load(live: Any, component: str, run: str, counts: Counts, *, away: str = "") -> Death:
    """Kill -9 a component while there is load, and wait until it and all answers are good again.

    What it sends to may be `away`: stopped before, and started once the component is back.
    """
    view = live.view()

    def look() -> Seen:
        found = view.state()[component]
        return Seen(found.pid, found.phase == "ready", found.since, f"{found.phase}: {found.detail}")

    if away:
        live.must("stop", away)
    try:
        death = kill(component, look, Load(view.url, f"{run}-{component}{away}"), counts)
    finally:
        if away:
            live.must("start", away)
    if away:
        poll_until(lambda: view.state()[away].phase == "ready", f"{away} is ready again", READY_SECONDS)
        death = replace(death, component=f"{component}, {away} away")
    return death


def kill(component: str, look: Callable[[], Seen], asking: Load, counts: Counts) -> Death:
    """The death itself, of what `look` sees, while `asking` goes on."""
    before = look()
    assert before.ready, f"{component} is {before.detail}"
    with asking as load:
        time.sleep(BEFORE_SECONDS)  # the load's own time, not a wait for readiness
        lost = counts.advance()
        killed = time.time()
        os.kill(before.pid, signal.SIGKILL)

        def again() -> float:
            now = look()
            return now.since if now.ready and now.pid not in {0, before.pid} else 0.0

        ready = poll_until(again, f"{component} is ready again", READY_SECONDS, interval=0.1)

        def calm() -> bool:
            enough = max(killed + LEAST_SECONDS, ready + AFTER_SECONDS)
            late = [one for one in load.answers if one.sent > time.time() - AFTER_SECONDS]
            return time.time() >= enough and bool(late) and all(one.accepted for one in late)

        poll_until(calm, f"answers are good again after {component}", READY_SECONDS, interval=0.1)
    again_lost = counts.advance(restarted=component)
    total = {service: lost[service] + again_lost[service] for service in SERVICES}
    return Death(component, killed, ready, load.began, load.ended, load.answers, total)
