"""The faults of workflow: wrappers around its adapters that break them while the switch says so."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from faults import Active, Dice, Fault, Parameter
from services.workflow.breaker import Breaker
from services.workflow.catalogue import GUARDED
from services.workflow.database import Database, T, Work
from services.workflow.domain import Case, PeerFailedError
from services.workflow.ports import Guard, Peer, Task

Pause = Callable[[float], Awaitable[None]]
EVERY_NODE = "all"


def _seconds(default: float, help_text: str) -> Parameter:
    return Parameter("seconds", default, minimum=0.0, maximum=60.0, unit="s", help=help_text)


FAULTS = (
    Fault(
        "node_failures",
        "Nodes with a peer fail and are not tried again; an instance fails with its first without a fallback",
        (
            Parameter(
                "rate",
                1.0,
                minimum=0.0,
                maximum=1.0,
                unit="share",
                help="share of instances whose nodes fail",
            ),
        ),
    ),
    Fault(
        "judgment_down",
        "Judgment cannot be reached: judge nodes are tried again, then take their fallback or fail",
    ),
    Fault(
        "breaker_trip",
        "A node's circuit breaker is held open; it tries again a cool-down after the fault is gone",
        (Parameter("node_id", "credit-check", help="whose breaker", choices=(*sorted(GUARDED), EVERY_NODE)),),
    ),
    Fault(
        "database_slow",
        "The database takes longer; beyond the service's time-out (2 s) it counts as unavailable",
        (_seconds(0.5, "added to each transaction"),),
    ),
    Fault(
        "call_slow",
        "Partners take longer; beyond the service's time-out (3 s) the attempt fails",
        (_seconds(2.0, "added to each call"),),
    ),
)


class FaultyPeer:
    """node_failures, and on top for judgment judgment_down, for partners call_slow."""

    def __init__(
        self, peer: Peer, dice: Dice, switch: Active, *, fault: str, pause: Pause = asyncio.sleep
    ) -> None:
        self._peer, self._dice, self._switch = peer, dice, switch
        self._fault, self._pause = fault, pause

    async def perform(self, task: Task) -> Case:
        """As Peer.perform."""
        # By instance: a share of nodes would say little of how many instances fail, and that is what alerts.
        if self._dice.strikes_key("node_failures", task.instance.id):
            raise PeerFailedError("no result (fault node_failures)", retry=False)
        set_as = self._switch.active(self._fault)
        if set_as is not None and "seconds" in set_as:
            await self._pause(float(set_as["seconds"]))
        elif set_as is not None:
            raise PeerFailedError(f"not reachable (fault {self._fault})")
        return await self._peer.perform(task)


class FaultyBreaker:
    """breaker_trip."""

    def __init__(self, breaker: Breaker, node_id: str, switch: Active) -> None:
        self._breaker, self._node_id, self._switch = breaker, node_id, switch

    def admit(self) -> int | None:
        """As Guard.admit."""
        set_as = self._switch.active("breaker_trip")
        if set_as is not None and set_as["node_id"] in {self._node_id, EVERY_NODE}:
            self._breaker.trip("fault breaker_trip")
        return self._breaker.admit()

    def succeeded(self, ticket: int) -> None:
        """As Guard.succeeded."""
        self._breaker.succeeded(ticket)

    def failed(self, ticket: int, reason: str) -> None:
        """As Guard.failed."""
        self._breaker.failed(ticket, reason)

    def abandoned(self, ticket: int) -> None:
        """As Guard.abandoned."""
        self._breaker.abandoned(ticket)


def faulty(breakers: Mapping[str, Breaker], switch: Active) -> dict[str, Guard]:
    """Each breaker with its fault."""
    return {node_id: FaultyBreaker(breaker, node_id, switch) for node_id, breaker in breakers.items()}


class FaultyDatabase:
    """database_slow."""

    def __init__(self, database: Database, switch: Active, *, pause: Pause = asyncio.sleep) -> None:
        self._database, self._switch, self._pause = database, switch, pause

    async def transaction(self, work: Work[T]) -> T:
        """As Database.transaction."""
        set_as = self._switch.active("database_slow")
        if set_as is not None:
            await self._pause(float(set_as["seconds"]))
        return await self._database.transaction(work)
