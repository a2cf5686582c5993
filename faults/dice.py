"""Whether a fault that is set for a share of something strikes this time."""

import random
from collections.abc import Hashable, Mapping
from typing import Final, Protocol

from faults.declared import Value

MOST_REMEMBERED: Final = 10_000


class Active(Protocol):
    """What wrappers need of the switch."""

    def active(self, name: str) -> Mapping[str, Value] | None:
        """The parameters of a fault that is set now, else None."""


class Dice:
    """Meets the parameter `rate` of faults evenly, not by chance.

    A drill's lower bound is the time that an even rate needs, and a lucky cluster of failures would beat it.
    Where in its round a fault begins is repeatable under the seed. Each process has dice of its own.
    """

    def __init__(self, switch: Active, seed: int = 7) -> None:
        self._switch = switch
        self._chance = random.Random(seed)
        self._due: dict[tuple[str, str], float] = {}
        self._remembered: dict[tuple[str, Hashable], bool] = {}

    def strikes(self, name: str, *, of: str = "") -> bool:
        """True with the rate of the fault while it is set; evenly among those with the same `of`."""
        parameters = self._switch.active(name)
        return parameters is not None and self._falls(name, of, float(parameters["rate"]))

    def strikes_key(self, name: str, key: Hashable) -> bool:
        """As strikes(), evenly among keys: asked about a key again, it says what it said before."""
        parameters = self._switch.active(name)
        if parameters is None:
            if self._remembered:
                self._forget(name)
            return False
        known = self._remembered.get((name, key))
        if known is None:
            known = self._falls(name, "", float(parameters["rate"]))
            self._remembered[name, key] = known
            if len(self._remembered) > MOST_REMEMBERED:
                del self._remembered[next(iter(self._remembered))]
        return known

    def amount(self, name: str, parameter: str) -> float | None:
        """The number a fault was set with, or None while it is not set."""
        parameters = self._switch.active(name)
        return None if parameters is None else float(parameters[parameter])

    def _falls(self, name: str, of: str, rate: float) -> bool:
        at = name, of
        if at not in self._due:
            self._due[at] = self._chance.random()
        due = self._due[at] + rate
        self._due[at] = due % 1.0
        return due >= 1.0

    def _forget(self, name: str) -> None:
        self._remembered = {at: known for at, known in self._remembered.items() if at[0] != name}
