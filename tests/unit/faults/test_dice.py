"""A rate is met evenly: over everything, per part of it, and per key."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from faults import Dice, Value
from faults.dice import MOST_REMEMBERED


@dataclass
class Set:
    """The faults that are set, by name."""

    set: dict[str, Mapping[str, Value]] = field(default_factory=dict)

    def active(self, name: str) -> Mapping[str, Value] | None:
        return self.set.get(name)


def rated(rate: float) -> Set:
    """A switch on which fault x has this rate."""
    return Set({"x": {"rate": rate}})


@pytest.mark.parametrize(("rate", "of_twenty"), [(0.0, 0), (0.05, 1), (0.25, 5), (0.5, 10), (1.0, 20)])
def test_a_rate_is_met_in_every_stretch(rate: float, of_twenty: int) -> None:
    """Any twenty in a row are hit as often as the rate says: no lucky clusters, no lucky gaps."""
    dice = Dice(rated(rate))
    struck = [dice.strikes("x") for _ in range(2000)]
    assert {sum(struck[at : at + 20]) for at in range(1980)} == {of_twenty}


def test_it_is_repeatable_under_the_seed_and_not_the_same_everywhere() -> None:
    """The same seed strikes the same ones; of twenty seeds not all begin alike."""

    def struck(seed: int) -> tuple[bool, ...]:
        dice = Dice(rated(0.3), seed)
        return tuple(dice.strikes("x") for _ in range(50))

    assert struck(7) == struck(7)
    assert len({struck(seed) for seed in range(20)}) > 3


def test_parts_are_met_evenly_each() -> None:
    """Two models that take turns: a half of each is hit, and not one of them always."""
    dice = Dice(rated(0.5))
    struck = [(dice.strikes("x", of="a"), dice.strikes("x", of="b")) for _ in range(100)]
    assert sum(a for a, _ in struck) == sum(b for _, b in struck) == 50


def test_a_key_is_answered_the_same_again() -> None:
    """However often and in whatever order it is asked about; the rate holds among keys."""
    dice = Dice(rated(0.25))
    first = {key: dice.strikes_key("x", key) for key in range(400)}
    assert sum(first.values()) == 100
    assert all(dice.strikes_key("x", key) is first[key] for key in reversed(range(400)))


def test_keys_are_forgotten_when_the_fault_is_gone_and_when_there_are_too_many() -> None:
    """What is remembered is bounded, and a fault that is set anew decides anew."""
    switch = rated(0.0)
    dice = Dice(switch)
    for key in range(MOST_REMEMBERED + 1):
        assert not dice.strikes_key("x", key)
    switch.set["x"] = {"rate": 1.0}
    assert not dice.strikes_key("x", MOST_REMEMBERED)
    assert dice.strikes_key("x", 0)  # the oldest made room
    switch.set.clear()
    assert not dice.strikes_key("x", MOST_REMEMBERED)
    switch.set["x"] = {"rate": 1.0}
    assert dice.strikes_key("x", MOST_REMEMBERED)


def test_without_the_fault_nothing_strikes() -> None:
    """Neither by chance nor by key, and there is no amount."""
    dice = Dice(Set())
    assert not any(dice.strikes("x") or dice.strikes_key("x", key) for key in range(100))
    assert dice.amount("x", "milliseconds") is None
    assert Dice(Set({"x": {"milliseconds": 5}})).amount("x", "milliseconds") == 5.0
