"""What workflow's faults do to instances: the share that was asked for, whole ones, and only known names."""

from dataclasses import replace

import pytest

from faults import BadParameterError, Dice
from services.workflow.catalogue import GUARDED, WORKFLOWS
from services.workflow.domain import Instance, PeerFailedError, Status
from services.workflow.faults import FAULTS, FaultyPeer
from services.workflow.ports import Task
from tests.unit.workflow.fakes import START, FakePeer, FakeSwitch

pytestmark = pytest.mark.anyio
FIRST = Instance("first", "acme", "order-to-cash", Status.RUNNING, {}, START, START)
NODES = [node for node in WORKFLOWS["order-to-cash"].nodes if node.id in GUARDED]


async def fates(peer: FaultyPeer, instance: Instance) -> set[str]:
    """How the nodes of an instance end: ok, retried or failed."""
    found = set()
    for node in NODES:
        try:
            await peer.perform(Task(instance, node, 1, "key"))
            found.add("ok")
        except PeerFailedError as error:
            found.add("retried" if error.retry else "failed")
    return found


async def test_node_failures_take_whole_instances_evenly_and_for_good() -> None:
    """One in five instances loses all its nodes, the others none: so a fifth of the instances fails."""
    switch = FakeSwitch({"node_failures": {"rate": 0.2}})
    dice = Dice(switch)
    peer = FaultyPeer(FakePeer(), dice, switch, fault="judgment_down")
    ends = [await fates(peer, replace(FIRST, id=f"i-{number}")) for number in range(50)]
    assert all(end in ({"ok"}, {"failed"}) for end in ends)
    assert all(ends[at : at + 5].count({"failed"}) == 1 for at in range(45))


async def test_both_kinds_of_peer_agree_on_an_instance() -> None:
    """Judgments and calls are two wrappers of one pair of dice."""
    switch = FakeSwitch({"node_failures": {"rate": 0.5}})
    dice = Dice(switch)
    judge = FaultyPeer(FakePeer(), dice, switch, fault="judgment_down")
    call = FaultyPeer(FakePeer(), dice, switch, fault="call_slow")
    for number in range(20):
        instance = replace(FIRST, id=f"i-{number}")
        assert await fates(judge, instance) == await fates(call, instance)


def test_breaker_trip_takes_only_nodes_that_have_a_breaker() -> None:
    """A misspelt node would be set, show as active, and break nothing."""
    trip = next(fault for fault in FAULTS if fault.name == "breaker_trip")
    assert trip.checked({"node_id": "lot-check"}) == {"node_id": "lot-check"}
    assert trip.checked({"node_id": "all"}) == {"node_id": "all"}
    with pytest.raises(BadParameterError, match="credit-check"):
        trip.checked({"node_id": "credit-chek"})
