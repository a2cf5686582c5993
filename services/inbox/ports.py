"""What the inbox needs of the world; adapters fulfil it, tests fake it."""

from collections.abc import Sequence
from typing import Protocol

from services.inbox.domain import Message, Stored, Wanted
from services.inbox.heartbeat import Silence


class Messages(Protocol):
    """Messages kept in the order of their arrival, a bounded number; all raise StoreUnavailableError."""

    async def add(self, message: Message, received_ns: int) -> Stored:
        """Keep a message; the oldest give way."""

    async def find(self, wanted: Wanted) -> Sequence[Stored]:
        """The messages that match, newest first, without their raw payload."""

    async def get(self, message_id: int) -> Stored | None:
        """One message with its raw payload, or None."""

    async def count(self) -> int:
        """How many messages are kept."""

    async def clear(self) -> int:
        """Forget all messages; return how many."""


class PulseStore(Protocol):
    """What is known of the heartbeat, across restarts; both raise StoreUnavailableError."""

    async def load(self) -> tuple[float | None, tuple[Silence, ...]]:
        """The last heartbeat in seconds since 1970, or None, and the silences, oldest first."""

    async def save(self, last: float | None, silences: Sequence[Silence]) -> None:
        """In place of what was known."""
