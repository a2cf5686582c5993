"""Starts PostgreSQL as the official image does: a first start makes the database, then the server runs.

Run as a process: python -m firedrill.local.postgres --bin DIR --data DIR [--scripts DIR] -- SERVER-ARGUMENTS
The first start happens beside the final folder and is moved there when it is whole, so a crash in the
middle is simply done again.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from firedrill.errors import StartError
from firedrill.wait import TimedOut, poll_until

_START_SECONDS = 60.0


def initialise(binaries: Path, data: Path, scripts: Path | None, environ: Mapping[str, str]) -> None:
    """Make the database in `data` with user, password and scripts; nothing when it is there already.

    Raises StartError with what the tools said.
    """
    if (data / "PG_VERSION").exists():
        return
    user, password = environ.get("POSTGRES_USER", "postgres"), environ.get("POSTGRES_PASSWORD", "")
    database = environ.get("POSTGRES_DB", user)
    new = data.with_name(data.name + ".new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True, mode=0o700)
    # A short folder of our own: a socket's path must not be longer than about 100 bytes.
    with tempfile.TemporaryDirectory(prefix="fd-pg-", dir=_short_folder()) as folder:
        secret = Path(folder) / "password"
        secret.touch(mode=0o600)
        secret.write_text(password + "\n", encoding="utf-8")
        _run(
            [binaries / "initdb", "-D", new, "-U", user, f"--pwfile={secret}", "--auth-host=scram-sha-256",
             "--auth-local=trust", "--encoding=UTF8", "--locale=C"],
            environ,
        )  # fmt: skip
        _fill(binaries, new, Path(folder), user=user, database=database, scripts=scripts, environ=environ)
    if data.exists():
        data.rmdir()
    new.rename(data)


def _fill(
    binaries: Path,
    data: Path,
    folder: Path,
    *,
    user: str,
    database: str,
    scripts: Path | None,
    environ: Mapping[str, str],
) -> None:
    """Start a server that only this process can reach, make the database and run the scripts in it."""
    command = [str(binaries / "postgres"), "-D", str(data), "-c", "listen_addresses=", "-k", str(folder)]
    server = subprocess.Popen(command, env=dict(environ))
    psql = [binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", folder, "-U", user]
    try:
        _await_server(server, [*psql, "-d", "postgres", "-c", "SELECT 1"], environ)
        if database != "postgres":
            quoted = database.replace('"', '""')
            _run([*psql, "-d", "postgres", "-c", f'CREATE DATABASE "{quoted}"'], environ)
        for script in sorted(scripts.glob("*.sql")) if scripts is not None else ():
            _run([*psql, "-d", database, "-f", script], environ)
    finally:
        server.send_signal(2)  # SIGINT: a fast shutdown, with everything written
        server.wait()


def _await_server(
    server: "subprocess.Popen[bytes]", command: list[object], environ: Mapping[str, str]
) -> None:
    def answers() -> bool:
        if server.poll() is not None:
            raise StartError(f"PostgreSQL ended with code {server.returncode} during its first start")
        _run(command, environ)
        return True

    try:
        poll_until(answers, "PostgreSQL's first start", _START_SECONDS, interval=0.1)
    except TimedOut as error:
        raise StartError("PostgreSQL did not start", str(error), "read its log above") from None


def _run(command: list[object], environ: Mapping[str, str]) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(
        words, env=dict(environ), capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise StartError(f"{Path(words[0]).name} ended with code {done.returncode}", said)


def _short_folder() -> str | None:
    own = tempfile.gettempdir()
    return own if len(own) < 60 else "/tmp"


def main() -> None:
    """Make the database if need be, then become the server."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--scripts", type=Path)
    parser.add_argument("--port", required=True)
    parser.add_argument("rest", nargs="*")
    options = parser.parse_args()
    try:
        initialise(options.bin, options.data, options.scripts, os.environ)
    except StartError as error:
        sys.exit(str(error))
    options.data.chmod(0o700)
    server = str(options.bin / "postgres")
    # No Unix socket: everything speaks TCP on loopback with a password.
    own = ["-c", "listen_addresses=127.0.0.1", "-c", f"port={options.port}", "-c", "unix_socket_directories="]
    os.execv(server, [server, "-D", str(options.data), *options.rest, *own])  # noqa: S606 - it becomes the server, in the same process


if __name__ == "__main__":
    main()
