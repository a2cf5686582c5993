"""kill -9 of a container's first process under load, and what became of what was accepted meanwhile."""

import time

from tests.compose.containers import containers
from tests.compose.site import Site
from tests.integration.resilience.killing import Counts, Death, Seen, kill
from tests.integration.resilience.load import Load


def kill_under_load(site: Site, service: str, run: str, counts: Counts) -> Death:
    """Kill the container's process from outside; wait until the engine's restart and all answers are good."""

    def look() -> Seen:
        found = containers(site.engine)[service]
        return Seen(found.pid, found.ready, time.time(), f"{found.state} {found.health}")

    return kill(service, look, Load(site.view().url, f"{run}-{service}"), counts)
