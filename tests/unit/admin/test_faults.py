"""What the faults of admin do to what fds hears."""

import asyncio

import pytest

from faults import Dice, Fault
from services.admin.faults import FAULTS, FaultyFraudService
from services.admin.ports import FdsUnavailableError
from tests.unit.admin.fakes import FakeFds, FakeSwitch


def told(fds: FakeFds, switch: FakeSwitch, *, reviews: int, times: int = 1) -> list[str]:
    """The labels that fds hears of so many reviews, each of them `fraud`, all delivered `times` over."""
    service = FaultyFraudService(fds, switch, Dice(switch), limit_seconds=3.0)

    async def deliver() -> None:
        for number in list(range(reviews)) * times:
            await service.label(f"t-{number}", "fraud")

    asyncio.run(deliver())
    return [label for _, label in fds.told]


def test_labels_poisoned_turns_every_verdict_around() -> None:
    """By default all of them, and in both directions."""
    poisoned: Fault = next(fault for fault in FAULTS if fault.name == "labels_poisoned")
    switch, fds = FakeSwitch({"labels_poisoned": poisoned.checked({})}), FakeFds()
    assert told(fds, switch, reviews=3) == ["legitimate"] * 3
    service = FaultyFraudService(fds, switch, Dice(switch), limit_seconds=3.0)
    asyncio.run(service.label("t-9", "legitimate"))
    assert fds.told[-1] == ("t-9", "fraud")


def test_labels_poisoned_meets_its_rate_evenly_and_a_second_delivery_says_the_same() -> None:
    """fds takes a review that comes twice as once, but two verdicts on one payment are a conflict."""
    heard = told(FakeFds(), FakeSwitch({"labels_poisoned": {"rate": 0.25}}), reviews=40, times=2)
    assert heard[:40] == heard[40:]
    assert all(heard[at : at + 4].count("legitimate") == 1 for at in range(36))


def test_without_the_fault_verdicts_arrive_as_they_are() -> None:
    """And fds_down is a refusal, not a wrong label."""
    assert told(FakeFds(), FakeSwitch(), reviews=5) == ["fraud"] * 5
    fds = FakeFds()
    with pytest.raises(FdsUnavailableError):
        told(fds, FakeSwitch({"fds_down": {}, "labels_poisoned": {"rate": 1.0}}), reviews=1)
    assert fds.told == []
