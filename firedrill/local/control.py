"""Commands to a running supervisor: one JSON object a line over a Unix socket that only its user can open."""

import asyncio
import contextlib
import json
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from firedrill.errors import NotRunning, StartError, UsageError

# Holding a service down takes as long as its grace period, which is 30 s at most in practice.
REPLY_SECONDS = 60.0
Command = Callable[[str, str], Awaitable[str]]


async def serve(path: Path, execute: Command) -> asyncio.AbstractServer:
    """Listen on `path`; `execute(command, name)` gives what went wrong, or nothing."""
    await asyncio.to_thread(path.unlink, missing_ok=True)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, ValueError):
            request = json.loads(await reader.readline())
            problem = await execute(str(request.get("do", "")), str(request.get("name", "")))
            writer.write(json.dumps({"problem": problem}).encode() + b"\n")
            await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path=str(path))
    await asyncio.to_thread(path.chmod, 0o600)
    return server


def send(path: Path, command: str, name: str = "", *, timeout_seconds: float = REPLY_SECONDS) -> None:
    """Give a command and wait for its end. Raises NotRunning, StartError; UsageError for a wrong name."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(timeout_seconds)
            connection.connect(str(path))
            connection.sendall(json.dumps({"do": command, "name": name}).encode() + b"\n")
            reply = connection.makefile("rb").readline()
    except TimeoutError:
        raise StartError(
            f"the supervisor did not do '{command} {name}' within {timeout_seconds:g} s",
            "the process may not end, or the machine is very busy",
            "look at `firedrill status`",
        ) from None
    except OSError as error:
        raise NotRunning("the stack is not running", str(error), "start it: make up") from None
    if not reply:
        raise NotRunning("the supervisor ended while it was asked", todo="look at `firedrill status`")
    problem = json.loads(reply).get("problem")
    if problem:
        raise UsageError(str(problem), todo="`firedrill status` lists the services")
