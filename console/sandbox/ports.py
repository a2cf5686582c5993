"""What the sandbox needs of the running stack."""

from collections.abc import Collection, Sequence
from typing import Protocol

from console.sandbox.chosen import Broken
from console.sandbox.model import Traffic
from console.sandbox.run import Seen
from firedrill.errors import FiredrillError
from firedrill.untold import Told


class StageError(FiredrillError):
    """The stack does not take a fault, or does not let go of one."""


class Stage(Protocol):
    """The stack as a stage: looked at, broken and healed. Everything but look() may raise StageError."""

    @property
    def cannot_stop(self) -> str:
        """Why no process can be stopped here; empty where that works."""

    async def faults_of_others(self) -> Sequence[str]:
        """What is broken now, as service/fault."""

    async def look(self, broken: Sequence[Broken], *, since: float, pages: Collection[str] = ()) -> Seen:
        """Alerts, messages since a unix time, whether all of `broken` is in; what cannot be seen is None.

        With `pages`, also which alerts of these names were told as firing and not as ended.
        """

    async def tell_ended(self, found: Sequence[Told]) -> None:
        """Tell Alertmanager that these alerts have ended; no error when it does not answer."""

    async def break_it(self, broken: Sequence[Broken], *, ttl_seconds: float) -> None:
        """Put the faults in; they end by themselves after `ttl_seconds`, and at the console's death."""

    async def heal(self, broken: Sequence[Broken]) -> None:
        """Take the faults out; no error when they are not in."""

    async def start_traffic(self, traffic: Sequence[Traffic], *, seconds: float) -> None:
        """Send more requests, for at most `seconds`."""

    async def stop_traffic(self) -> None:
        """Send no more."""
