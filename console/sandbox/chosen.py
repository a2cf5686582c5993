"""What a seed chooses: when and how strongly it breaks, the order of choices, a shift's incidents."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from console.sandbox.model import Breakage, Incident, ServiceFault, StoppedProcess, Value

T = TypeVar("T")

SHIFT_LENGTH: Final = 3
HIGHEST_SEED: Final = 999_999_999


@dataclass(frozen=True)
class SetFault:
    """A fault with the values that it is set with."""

    service: str
    name: str
    parameters: Mapping[str, Value]


Broken = SetFault | StoppedProcess


@dataclass(frozen=True)
class Plan:
    """What a seed makes of an incident: seconds of quiet before the fault, faults, and orders of ids."""

    seed: int
    quiet: float
    broken: tuple[Broken, ...]
    choices: Mapping[str, tuple[str, ...]]
    actions: tuple[str, ...]


def plan(incident: Incident, seed: int) -> Plan:
    """The same for the same incident and seed, on every machine."""
    dice = random.Random(f"{incident.name}:{seed}")
    least, most = incident.begins_after
    return Plan(
        seed=seed,
        quiet=round(dice.uniform(least, most), 1),
        broken=tuple(_broken(one, dice) for one in incident.breakages),
        choices={
            question.id: _shuffled((choice.id for choice in question.choices), dice)
            for question in incident.questions
        },
        actions=_shuffled((action.id for action in incident.actions), dice),
    )


def shift(incidents: Iterable[Incident], seed: int) -> tuple[str, ...]:
    """Names of three incidents, easy ones first: one misleads, and no two are of one slice while that can be.

    Raises ValueError with fewer than three.
    """
    known = sorted(incidents, key=lambda one: one.name)
    if len(known) < SHIFT_LENGTH:
        raise ValueError(f"a shift needs {SHIFT_LENGTH} incidents, and there are {len(known)}")
    dice = random.Random(f"shift:{seed}")
    dice.shuffle(known)
    misleading = [one for one in known if one.misleads][:1]
    found = list(misleading)
    honest = [one for one in known if not one.misleads]
    for one in [*honest, *honest, *known]:  # the second round no longer asks for another slice
        others = {each.slice for each in found}
        enough_slices = one.slice not in others or len({each.slice for each in honest} - others) == 0
        if len(found) < SHIFT_LENGTH and one not in found and enough_slices:
            found.append(one)
    return tuple(one.name for one in sorted(found, key=lambda each: (each.level, each.name)))


def seeds(seed: int) -> Sequence[int]:
    """The seeds of a shift's incidents."""
    dice = random.Random(f"seeds:{seed}")
    return [dice.randrange(HIGHEST_SEED) for _ in range(SHIFT_LENGTH)]


def _broken(one: Breakage, dice: random.Random) -> Broken:
    if isinstance(one, ServiceFault):
        chosen = {name: dice.choice(values) for name, values in sorted(one.parameters.items())}
        return SetFault(one.service, one.name, chosen)
    return one


def _shuffled(ids: Iterable[T], dice: random.Random) -> tuple[T, ...]:
    found = list(ids)
    dice.shuffle(found)
    return tuple(found)
