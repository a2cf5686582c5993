"""Which faults a running incident has set: their names are not to be shown until it is over."""

from collections.abc import Iterable


class Secret:
    """The names, as service/fault; pages that list faults or mark graphs with them ask here."""

    def __init__(self) -> None:
        self._names: frozenset[str] = frozenset()

    def hide(self, names: Iterable[str]) -> None:
        """These and no others, from now on; nothing: nothing is secret."""
        self._names = frozenset(names)

    @property
    def hidden(self) -> frozenset[str]:
        """What must not be shown now."""
        return self._names


CURRENT = Secret()


def hidden() -> frozenset[str]:
    """The faults of the incident that runs in this console, as service/fault."""
    return CURRENT.hidden


def is_hidden(service: str, fault: str) -> bool:
    """Whether pages must not show that this fault is set."""
    return f"{service}/{fault}" in CURRENT.hidden
