"""A small mail server: takes mails for anybody from whoever reaches it, on one machine's loopback."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from services.inbox.domain import RefusedMessageError, StoreUnavailableError

LARGEST_MAIL_BYTES = 512 * 1024
LONGEST_LINE_BYTES = 2_000
MOST_CLIENTS = 20
MOST_RECIPIENTS = 100
IDLE_SECONDS = 60.0
_ADDRESS = re.compile(rb"(?i)^(FROM|TO):\s*<([^<>\s]{0,254})>((?:\s+\S+)*)\s*$")
_SIZE = re.compile(rb"(?i)\bSIZE=(\d{1,15})\b")

# Bytes of the mail, sender and recipients; RefusedMessageError or StoreUnavailableError.
TakeMail = Callable[[bytes, str, Sequence[str]], Awaitable[object]]


@dataclass
class _Letter:
    """What a client has said of the mail that it is about to send."""

    greeted: bool = False
    sender: str | None = None
    recipients: list[str] = field(default_factory=list)

    def forget(self) -> None:
        self.sender, self.recipients = None, []


class SmtpServer:
    """Listens from `start` to `stop` and hands every mail to `take`; neither relays nor asks who sends."""

    def __init__(self, take: TakeMail, *, idle_seconds: float = IDLE_SECONDS) -> None:
        self._take, self._idle_seconds = take, idle_seconds
        self._clients: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> int:
        """Listen, on a free port when it is 0; gives the port. OSError when it is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=LONGEST_LINE_BYTES)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the listener and every conversation."""
        if self._server is not None:
            self._server.close()
        for client in self._clients:
            client.cancel()
        await asyncio.gather(*self._clients, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._clients.add(task)
            task.add_done_callback(self._clients.discard)
        try:
            talk = _Talk(reader, writer, self._take, self._idle_seconds)
            if len(self._clients) > MOST_CLIENTS:
                await talk.say(421, "too many connections")
            else:
                await talk.run()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client went away
        except TimeoutError:
            with contextlib.suppress(ConnectionError):
                await talk.say(421, "nothing came for too long")
        except asyncio.LimitOverrunError:
            with contextlib.suppress(ConnectionError):
                await talk.say(500, "line too long")
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()


class _Talk:
    """The conversation with one client."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, take: TakeMail, idle_seconds: float
    ) -> None:
        self._reader, self._writer, self._take, self._idle_seconds = reader, writer, take, idle_seconds
        self._letter = _Letter()

    async def say(self, code: int, *lines: str) -> None:
        """A reply of one or several lines."""
        for number, line in enumerate(lines, start=1):
            mark = " " if number == len(lines) else "-"
            self._writer.write(f"{code}{mark}{line}\r\n".encode())
        await self._writer.drain()

    async def run(self) -> None:
        """Until QUIT, ConnectionError, IncompleteReadError, LimitOverrunError or TimeoutError."""
        answers = {
            b"EHLO": self._ehlo, b"HELO": self._helo, b"MAIL": self._mail, b"RCPT": self._rcpt,
            b"DATA": self._data, b"RSET": self._rset, b"NOOP": self._noop, b"VRFY": self._vrfy,
        }  # fmt: skip
        await self.say(220, "inbox ESMTP")
        while True:
            line = await self._line()
            verb, _, rest = line.strip().partition(b" ")
            if verb.upper() == b"QUIT":
                await self.say(221, "bye")
                return
            answer = answers.get(verb.upper())
            if answer is None:
                await self.say(502, "command not known")
            else:
                await answer(rest.strip())

    async def _line(self) -> bytes:
        async with asyncio.timeout(self._idle_seconds):
            return await self._reader.readuntil(b"\r\n")

    async def _ehlo(self, _: bytes) -> None:
        self._letter = _Letter(greeted=True)
        await self.say(250, "inbox", f"SIZE {LARGEST_MAIL_BYTES}", "8BITMIME")

    async def _helo(self, _: bytes) -> None:
        self._letter = _Letter(greeted=True)
        await self.say(250, "inbox")

    async def _mail(self, rest: bytes) -> None:
        found = _ADDRESS.match(rest)
        if not self._letter.greeted or self._letter.sender is not None:
            await self.say(503, "not now")
        elif found is None or found[1].upper() != b"FROM":
            await self.say(501, "MAIL FROM:<address>")
        elif (size := _SIZE.search(found[3])) and int(size[1]) > LARGEST_MAIL_BYTES:
            await self.say(552, "the mail is too large")
        else:
            self._letter.sender = found[2].decode("utf-8", "replace")
            await self.say(250, "ok")

    async def _rcpt(self, rest: bytes) -> None:
        found = _ADDRESS.match(rest)
        if self._letter.sender is None:
            await self.say(503, "MAIL first")
        elif found is None or found[1].upper() != b"TO" or b"@" not in found[2]:
            await self.say(501, "RCPT TO:<name@domain>")
        elif len(self._letter.recipients) >= MOST_RECIPIENTS:
            await self.say(452, "too many recipients")
        else:
            self._letter.recipients.append(found[2].decode("utf-8", "replace"))
            await self.say(250, "ok")

    async def _data(self, _: bytes) -> None:
        sender, recipients = self._letter.sender, self._letter.recipients
        if sender is None or not recipients:
            await self.say(503, "RCPT first")
            return
        await self.say(354, "end with a dot on a line of its own")
        content = await self._content()
        self._letter.forget()
        if content is None:
            await self.say(552, "the mail is too large")
            return
        try:
            await self._take(content, sender, recipients)
        except RefusedMessageError as refusal:
            await self.say(554, refusal.reason.value)
        except StoreUnavailableError:
            await self.say(451, "the store is not available")
        else:
            await self.say(250, "taken")

    async def _content(self) -> bytes | None:
        """The mail without its final dot, dots that were doubled made single; None for too much of it."""
        lines: list[bytes] = []
        size = 0
        while (line := await self._line()) != b".\r\n":
            size += len(line)
            if size <= LARGEST_MAIL_BYTES:
                lines.append(line[1:] if line.startswith(b".") else line)
        return b"".join(lines) if size <= LARGEST_MAIL_BYTES else None

    async def _rset(self, _: bytes) -> None:
        self._letter.forget()
        await self.say(250, "ok")

    async def _noop(self, _: bytes) -> None:
        await self.say(250, "ok")

    async def _vrfy(self, _: bytes) -> None:
        await self.say(252, "send it and see")
