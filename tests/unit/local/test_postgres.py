"""PostgreSQL's first start, with the real server on a private port."""

import asyncio
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firedrill.local import probe, system
from firedrill.local.plan import Probe
from firedrill.wait import poll_until
from tests.unit.local.rig import ROOT

PORT = 19420
BINARIES = system.find_postgres()
pytestmark = [
    pytest.mark.skipif(BINARIES is None, reason="PostgreSQL is not installed"),
    pytest.mark.timeout(120),
]


class Cluster:
    """A data folder that an unprivileged user owns, and its server."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.data = folder, folder / "data" / "db"
        (folder / "scripts").mkdir()
        (folder / "data").mkdir()
        (folder / "scripts" / "a.sql").write_text("CREATE DATABASE judgment;\nCREATE DATABASE fds;\n")
        self.account = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        if self.account is not None:
            for path in (folder, *folder.rglob("*")):
                os.chown(path, self.account.pw_uid, self.account.pw_gid)

    def start(self) -> "subprocess.Popen[bytes]":
        assert BINARIES is not None
        environ = {
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TMPDIR": str(self.folder),
            "POSTGRES_USER": "firedrill", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "firedrill",
        }  # fmt: skip
        places = {"bin": BINARIES, "data": self.data, "port": PORT, "scripts": self.folder / "scripts"}
        options = [word for name, value in places.items() for word in (f"--{name}", str(value))]
        module = [sys.executable, "-m", "firedrill.local.postgres"]
        return self.run([*module, *options, "--", "-c", "max_connections=20"], environ)

    def run(self, command: list[str], environ: dict[str, str]) -> "subprocess.Popen[bytes]":
        # A session of its own, as the supervisor gives: so that all of it can be killed at once.
        account = self.account
        if account is None:
            return subprocess.Popen(command, env=environ, cwd=self.folder, start_new_session=True)
        return subprocess.Popen(
            command, env=environ, cwd=self.folder, start_new_session=True,
            user=account.pw_uid, group=account.pw_gid, extra_groups=[],
        )  # fmt: skip

    def databases(self, password: str) -> list[str]:
        assert BINARIES is not None
        command = [
            str(BINARIES / "psql"),
            "-X",
            "-A",
            "-t",
            "-h",
            "127.0.0.1",
            "-p",
            str(PORT),
            "-U",
            "firedrill",
        ]
        query = [
            "-d",
            "firedrill",
            "-c",
            "SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1",
        ]
        environ = {"PGPASSWORD": password, "PATH": os.environ["PATH"]}
        done = subprocess.run([*command, *query], env=environ, capture_output=True, text=True, check=False)
        if done.returncode:
            raise AssertionError(done.stderr)
        return done.stdout.split()


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    folder = Path(tempfile.mkdtemp(prefix="fd-test-", dir="/tmp"))
    folder.chmod(0o755)
    yield Cluster(folder)
    shutil.rmtree(folder, ignore_errors=True)


def ready() -> bool:
    asyncio.run(probe.ask(Probe("postgres", PORT)))
    return True


def test_the_first_start_makes_databases_and_asks_for_the_password(cluster: Cluster) -> None:
    """And the second start finds them; a start that was killed half way is done again."""
    broken = cluster.start()
    new = cluster.data.with_name("db.new")
    poll_until(lambda: new.exists() and any(new.iterdir()), "initdb at work", 20, interval=0.01)
    os.killpg(broken.pid, signal.SIGKILL)
    broken.wait()
    assert not cluster.data.exists()
    for _ in range(2):
        server = cluster.start()
        try:
            poll_until(ready, "the server", 60)
            assert cluster.databases("secret") == ["fds", "firedrill", "judgment", "postgres"]
            with pytest.raises(AssertionError, match="password authentication failed"):
                cluster.databases("wrong")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(30)
    assert not new.exists()


def test_a_script_that_fails_is_said_and_nothing_is_kept(cluster: Cluster) -> None:
    """The next start begins anew, with the script mended."""
    script = cluster.folder / "scripts" / "a.sql"
    script.write_text("CREATE TABEL x;\n")
    assert cluster.start().wait(60) == 1
    assert not cluster.data.exists()
