"""Asks a process on loopback whether it is ready; an exception says why not."""

import asyncio
import struct

from firedrill.local.plan import Probe

TIMEOUT_SECONDS = 3.0
_PROTOCOL_3 = 196608
_CHUNK = 65536


class NotReadyError(Exception):
    """The process answered, but not that it is ready."""


async def ask(probe: Probe, *, timeout: float = TIMEOUT_SECONDS) -> None:  # noqa: ASYNC109 - whole attempt, not one await
    """Return when the process is ready. Raises NotReadyError, OSError or TimeoutError."""
    async with asyncio.timeout(timeout):
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", probe.port)
        except ConnectionRefusedError:
            raise NotReadyError(f"nothing listens on port {probe.port} yet") from None
        try:
            if probe.kind == "http":
                await _http(reader, writer, probe)
            elif probe.kind == "postgres":
                await _postgres(reader, writer)
        finally:
            writer.close()


async def _http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, probe: Probe) -> None:
    writer.write(
        f"GET {probe.path} HTTP/1.1\r\nHost: 127.0.0.1:{probe.port}\r\nUser-Agent: firedrill\r\n"
        "Accept: */*\r\nConnection: close\r\n\r\n".encode()
    )
    status = (await reader.readline()).decode("latin-1").split()
    if len(status) < 2 or not status[1].isdigit():
        raise NotReadyError(f"{probe.path} does not answer in HTTP")
    if not 200 <= int(status[1]) < 300:
        raise NotReadyError(f"{probe.path} answers {status[1]}")
    # Read to the end: a server whose answer is cut short complains in its log, every few seconds.
    while await reader.read(_CHUNK):
        pass


async def _postgres(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """As pg_isready does: ready when it asks who we are, not when it says that it is starting up."""
    body = struct.pack("!i", _PROTOCOL_3) + b"user\0firedrill\0database\0firedrill\0\0"
    writer.write(struct.pack("!i", len(body) + 4) + body)
    kind = await reader.readexactly(1)
    if kind != b"R":
        raise NotReadyError("PostgreSQL is starting up")
