"""Real PostgreSQL and Redis of the tests' own, on free loopback ports and never as root."""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest

from firedrill.wait import poll_until


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Asynchronous tests run on asyncio, as the service does."""
    return "asyncio"


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A new PostgreSQL cluster; skips when there is no initdb on PATH or in Debian's folder."""
    folders = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    initdb = shutil.which("initdb") or next((str(folder / "initdb") for folder in sorted(folders)[-1:]), None)
    if initdb is None:
        pytest.skip("no initdb on PATH nor in /usr/lib/postgresql/*/bin: install postgresql")
    with _folder() as folder:
        data, port = folder / "data", _free_port()
        subprocess.run(
            [initdb, "-D", data, "-U", "firedrill", "-A", "trust", "-E", "UTF8", "--no-sync", "--locale=C"],
            check=True,
            capture_output=True,
            cwd=folder,
            **_unprivileged(),
        )
        values = ("listen_addresses=127.0.0.1", f"unix_socket_directories={folder}", "fsync=off")
        options = [part for value in values for part in ("-c", value)]
        postgres = str(Path(initdb).with_name("postgres"))
        with _process([postgres, "-D", str(data), "-p", str(port), *options], folder, port):
            poll_until(lambda: asyncio.run(_answers(port)), "PostgreSQL answers", 30)
            yield f"postgresql+asyncpg://firedrill@127.0.0.1:{port}/postgres"


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """A new Redis without persistence; skips when there is no redis-server on PATH."""
    server = shutil.which("redis-server")
    if server is None:
        pytest.skip("no redis-server on PATH: install redis-server")
    with _folder() as folder:
        port = _free_port()
        with _process([server, "--bind", "127.0.0.1", "--port", str(port), "--save", ""], folder, port):
            yield f"redis://127.0.0.1:{port}/0"


@pytest.fixture
def nobody_listens() -> int:
    """A loopback port on which connections are refused."""
    return _free_port()


@contextmanager
def _process(command: list[str], folder: Path, port: int) -> Iterator[None]:
    with (folder / "output").open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=output, **_unprivileged())
        try:
            poll_until(lambda: _listens(port), f"{command[0]} listens", 30)
            yield
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that the unprivileged user owns; pytest's own are closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="judgment-test-"))
    try:
        if os.geteuid() == 0:
            user = _user()
            os.chown(folder, user.pw_uid, user.pw_gid)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged() -> dict[str, object]:
    """Arguments for subprocess that drop root's rights."""
    if os.geteuid() != 0:
        return {}
    user = _user()
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _user() -> pwd.struct_passwd:
    return pwd.getpwnam("nobody")


async def _answers(port: int) -> bool:
    connection = await asyncpg.connect(
        host="127.0.0.1", port=port, user="firedrill", database="postgres", timeout=2
    )
    await connection.close()
    return True


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
