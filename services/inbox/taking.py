"""How a payload is read, parsed, kept and counted, the same for every way in."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from fastapi import Request

from services.inbox.domain import (
    Kind,
    Message,
    Refusal,
    RefusedMessageError,
    Stored,
    StoreUnavailableError,
)
from services.inbox.ports import Messages
from services.inbox.signals import Signals
from telemetry.errors import Unavailable

LARGEST_BODY_BYTES = 512 * 1024
_STATUS = {Refusal.TOO_LARGE: 413, Refusal.CHANNEL_NOT_FOUND: 404, Refusal.MISSING_AUTH: 401}

T = TypeVar("T")


class Take:
    """Takes one message."""

    def __init__(self, messages: Messages, signals: Signals, clock_ns: Callable[[], int]) -> None:
        self._messages, self._signals, self._clock_ns = messages, signals, clock_ns

    async def __call__(self, kind: Kind, request: Request, parse: Callable[[bytes], Message]) -> Stored:
        """The message as kept; RefusedMessageError (counted) or Unavailable."""
        received_ns = self._clock_ns()
        with self._counted(kind):
            message = parse(await read_body(request))
        return await self.keep(message, received_ns)

    async def content(self, kind: Kind, content: bytes, parse: Callable[[bytes], Message]) -> Stored:
        """What did not come by HTTP; RefusedMessageError (counted) or StoreUnavailableError."""
        received_ns = self._clock_ns()
        with self._counted(kind):
            message = parse(content)
        return await self._add(message, received_ns)

    async def keep(self, message: Message, received_ns: int | None = None) -> Stored:
        """The message as kept, now or at a time in nanoseconds since 1970; Unavailable."""
        return await available(self._add(message, self._clock_ns() if received_ns is None else received_ns))

    async def _add(self, message: Message, received_ns: int) -> Stored:
        stored = await self._messages.add(message, received_ns)
        self._signals.received(message, await self._messages.count())
        return stored

    @contextmanager
    def _counted(self, kind: Kind) -> Iterator[None]:
        try:
            yield
        except RefusedMessageError as refusal:
            self._signals.refusal(kind, refusal.reason, str(refusal))
            raise


async def read_body(request: Request) -> bytes:
    """The body, or RefusedMessageError when it is larger than LARGEST_BODY_BYTES."""
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > LARGEST_BODY_BYTES:
            raise RefusedMessageError(
                Refusal.TOO_LARGE, f"the body is larger than {LARGEST_BODY_BYTES} bytes"
            )
        parts.append(part)
    return b"".join(parts)


async def available(work: Awaitable[T]) -> T:
    """The store's answer, or Unavailable."""
    try:
        return await work
    except StoreUnavailableError as error:
        raise Unavailable("message store") from error


def status_of(refusal: RefusedMessageError) -> int:
    """The HTTP status that tells a refusal."""
    return _STATUS.get(refusal.reason, 400)
