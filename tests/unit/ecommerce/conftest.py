"""Real PostgreSQL and Redis of these tests' own, on free loopback ports, never as root."""

import asyncio
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import psutil
import pytest

from firedrill.wait import poll_until


@dataclass(frozen=True)
class Server:
    """A running server: where it listens and its main process."""

    url: str
    pid: int

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop all its processes in the middle of things: connections stay open and say nothing."""
        main = psutil.Process(self.pid)
        processes = [main, *main.children(recursive=True)]  # PostgreSQL's are no group of one session
        for process in processes:
            process.suspend()
        try:
            yield
        finally:
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    process.resume()


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    """A new cluster; skips when initdb is neither on PATH nor in /usr/lib/postgresql/*/bin."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = shutil.which("initdb") or (str(debian[-1]) if debian else None)
    if initdb is None:
        pytest.skip("no initdb on PATH nor in /usr/lib/postgresql/*/bin: install postgresql")
    with _folder() as folder:
        data, port = folder / "data", free_port()
        make = [initdb, "-D", str(data), "-U", "shop", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"]
        subprocess.run(make, check=True, capture_output=True, cwd=folder, **_unprivileged())
        run = [str(Path(initdb).with_name("postgres")), "-D", str(data), "-p", str(port), "-k", str(folder),
               "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]  # fmt: skip
        with _process(run, folder) as pid:
            poll_until(lambda: asyncio.run(_answers(port)), "PostgreSQL answers", 30)
            yield Server(f"postgresql+asyncpg://shop@127.0.0.1:{port}/postgres", pid)


@pytest.fixture(scope="module")
def redis() -> Iterator[Server]:
    """A new Redis that keeps nothing; skips when redis-server is not on PATH."""
    binary = shutil.which("redis-server")
    if binary is None:
        pytest.skip("no redis-server on PATH: install redis-server")
    with _folder() as folder:
        port = free_port()
        with _process([binary, "--bind", "127.0.0.1", "--port", str(port), "--save", ""], folder) as pid:
            poll_until(lambda: _listens(port), "Redis listens", 30)
            yield Server(f"redis://127.0.0.1:{port}/0", pid)


def free_port() -> int:
    """A loopback port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(command: list[str], folder: Path) -> Iterator[int]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, **_unprivileged())
    try:
        yield process.pid
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


@contextmanager
def _folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="shop-test-"))  # pytest's own are closed to other users
    try:
        if os.geteuid() == 0:
            user = pwd.getpwnam("nobody")
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> dict[str, Any]:
    if os.geteuid() != 0:
        return {}
    user = pwd.getpwnam("nobody")
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


async def _answers(port: int) -> bool:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="shop", database="postgres", timeout=2
    )
    await connection.close()
    return True


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
