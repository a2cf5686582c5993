"""kill -9 of a container's first process under load, and what became of what was accepted meanwhile."""

import os
import signal
import time

from firedrill.wait import poll_until
from tests.compose.containers import Container, containers
from tests.compose.site import Site
from tests.integration.resilience.killing import (
    AFTER_SECONDS,
    BEFORE_SECONDS,
    LEAST_SECONDS,
    READY_SECONDS,
    SERVICES,
    Counts,
    Death,
)
from tests.integration.resilience.load import Load


def kill_under_load(site: Site, service: str, run: str, counts: Counts) -> Death:
    """Kill the container's process from outside; wait until the engine's restart and all answers are good."""
    view, before = site.view(), _one(site, service)
    assert before.ready, f"{service} is {before.state} {before.health}"
    with Load(view.url, f"{run}-{service}") as load:
        time.sleep(BEFORE_SECONDS)  # the load's own time, not a wait for readiness
        lost = counts.advance()
        killed = time.time()
        os.kill(before.pid, signal.SIGKILL)

        def again() -> float:
            now = _one(site, service)
            return time.time() if now.ready and now.pid not in {0, before.pid} else 0.0

        ready = poll_until(again, f"{service} runs again", READY_SECONDS, interval=0.2)

        def calm() -> bool:
            enough = max(killed + LEAST_SECONDS, ready + AFTER_SECONDS)
            late = [one for one in load.answers if one.sent > time.time() - AFTER_SECONDS]
            return time.time() >= enough and bool(late) and all(one.accepted for one in late)

        poll_until(calm, f"answers are good again after {service}", READY_SECONDS, interval=0.1)
    again_lost = counts.advance(restarted=service)
    total = {name: lost[name] + again_lost[name] for name in SERVICES}
    return Death(service, killed, ready, load.began, load.ended, load.answers, total)


def _one(site: Site, service: str) -> Container:
    return containers(site.engine)[service]
