"""The words and the environment with which each kind of process is started."""

import importlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import cast

from firedrill.errors import StartError
from firedrill.local import system
from firedrill.local.configs import Pace
from firedrill.local.launch import Launch
from firedrill.local.layout import Layout
from firedrill.local.plan import Process
from firedrill.local.processes import MARK


def command_of(process: Process, binary: Path | None) -> list[str]:
    """The whole command. Raises StartError when the program is not there."""
    program = process.program
    if program.kind == "python":
        # As a module: a script in bin/ names its Python by a path that others may not be able to enter.
        start = [sys.executable] if program.name == "python" else [sys.executable, "-m", program.name]
        return [*start, *process.arguments]
    if program.kind == "postgres":
        return _postgres(process)
    if program.kind == "redis":
        return _redis(process)
    if binary is None:
        raise StartError(f"the binary {program.name} is not there")
    return [str(binary), *process.arguments]


def environment_of(process: Process, layout: Layout, launch: Launch) -> dict[str, str]:
    """A small environment of our own plus what docker-compose.yml gives the service, as in a container."""
    temporary = layout.temporary / process.name
    temporary.mkdir(parents=True, exist_ok=True)
    base = {name: launch.environ[name] for name in ("PATH", "TZ") if name in launch.environ}
    return {
        "LANG": "C.UTF-8",
        "HOME": str(temporary),
        "TMPDIR": str(temporary),
        "PYTHONPATH": launch.code,
        "PYTHONUNBUFFERED": "1",
        # For the console, which shows what is still building or starting, and runs drills with promtool.
        "FIREDRILL_STATE": str(layout.root),
        "FIREDRILL_CACHE": launch.cache,
        **base,
        **process.environment,
        MARK: launch.instance,
    }


def locate_binary(name: str) -> Path | None:
    """A pinned component's binary on PATH or in the cache; for what is not pinned, PATH alone."""
    binaries = importlib.import_module("firedrill.binaries")
    errors = importlib.import_module("firedrill.errors")
    try:
        return cast(Path | None, binaries.locate(name))
    except errors.UsageError:
        return find_on_path(name)


def find_on_path(name: str) -> Path | None:
    """A program on PATH."""
    found = shutil.which(name)
    return Path(found).absolute() if found else None


def pacer(pace: str) -> Pace:
    """The transformation of alerting durations for `pace`."""
    change = cast(Callable[[Path, str, str], str], importlib.import_module("firedrill.pace").pace_file)
    return lambda path, text: change(path, text, pace)


def _postgres(process: Process) -> list[str]:
    folder = system.find_postgres()
    if folder is None or process.data is None:
        raise StartError(
            "PostgreSQL is not installed", todo=system.how_to_install([system.PACKAGES["postgres"]])
        )
    port = str(process.probe.port if process.probe else process.ports[0])
    own = ["--bin", str(folder), "--data", str(process.data), "--port", port]
    scripts = ["--scripts", str(process.scripts)] if process.scripts is not None else []
    return [sys.executable, "-m", "firedrill.local.postgres", *own, *scripts, "--", *process.arguments]


def _redis(process: Process) -> list[str]:
    server = system.find_redis()
    if server is None or process.data is None:
        raise StartError("Redis is not installed", todo=system.how_to_install([system.PACKAGES["redis"]]))
    port = str(process.probe.port if process.probe else process.ports[0])
    own = ["--port", port, "--bind", "127.0.0.1", "--dir", str(process.data), "--daemonize", "no"]
    return [str(server), *process.arguments, *own]
