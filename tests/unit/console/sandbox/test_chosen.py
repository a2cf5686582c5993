"""Seeds: the same seed chooses the same, another one something else."""

from dataclasses import replace
from pathlib import Path

import pytest

from console.sandbox.chosen import SetFault, plan, seeds, shift
from console.sandbox.model import Incident


def test_the_same_seed_plans_the_same(incident: Incident) -> None:
    """Moment, strength and orders."""
    assert plan(incident, 7) == plan(incident, 7)


def test_seeds_differ(incident: Incident) -> None:
    """Over a few seeds every value of a parameter is chosen, and the moment varies within its bounds."""
    plans = [plan(incident, seed) for seed in range(30)]
    broken = [one.broken[0] for one in plans]
    assert {one.parameters["milliseconds"] for one in broken if isinstance(one, SetFault)} == {140, 160}
    assert len({one.quiet for one in plans}) > 10
    assert all(5.0 <= one.quiet <= 20.0 for one in plans)
    assert len({one.choices["where"] for one in plans}) > 1


def test_nothing_is_lost_by_shuffling(incident: Incident) -> None:
    """Every choice and action is on offer."""
    found = plan(incident, 3)
    assert sorted(found.choices["cause"]) == ["load", "moon", "slow"]
    assert sorted(found.actions) == ["restart", "spare", "wait"]


def _several(incident: Incident) -> list[Incident]:
    slices = {"fds": 2, "judgment": 3, "workflow": 2, "platform": 1}
    found = [
        replace(incident, slice=name, file=Path(f"{name}/incidents/i{number}.yml"))
        for name, count in slices.items()
        for number in range(count)
    ]
    misled = [replace(one, misleads="no", loudest="SlowThing", level=3) for one in (found[0], found[5])]
    return [*misled, *found[1:5], *found[6:]]


def test_a_shift_is_three_of_different_slices_with_one_that_misleads(incident: Incident) -> None:
    """Whatever the seed; easy ones first."""
    known = _several(incident)
    by_name = {one.name: one for one in known}
    shifts = [shift(known, seed) for seed in range(40)]
    for names in shifts:
        found = [by_name[name] for name in names]
        assert len(found) == 3
        assert len({one.slice for one in found}) == 3
        assert [bool(one.misleads) for one in found] == [False, False, True]
    assert len(set(shifts)) > 5
    assert shift(list(reversed(known)), 11) == shift(known, 11)


def test_a_shift_of_too_few_slices_is_filled(incident: Incident) -> None:
    """Two of one slice rather than none."""
    known = [replace(incident, file=Path(f"fds/incidents/i{number}.yml")) for number in range(3)]
    assert len(shift(known, 1)) == 3


def test_a_shift_needs_three(incident: Incident) -> None:
    """Fewer are refused."""
    with pytest.raises(ValueError, match="needs 3"):
        shift([incident], 1)


def test_a_shifts_seeds_are_its_own(incident: Incident) -> None:
    """Three, the same for the same seed."""
    assert list(seeds(5)) == list(seeds(5))
    assert len(set(seeds(5))) == 3
