"""PostgreSQL and Redis from the system: where they are found, and what to install when they are not."""

import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

_POSTGRES_FOLDERS = (
    ("/usr/lib/postgresql", "*/bin"),
    ("/usr", "pgsql-*/bin"),
    ("/opt/homebrew/opt", "postgresql*/bin"),
    ("/usr/local/opt", "postgresql*/bin"),
)
_REDIS_FOLDERS = ("/opt/homebrew/opt/redis/bin", "/usr/local/opt/redis/bin", "/usr/sbin")


@dataclass(frozen=True)
class Package:
    """What a missing server is called where it is installed."""

    server: str
    debian: str
    brew: str


PACKAGES: Mapping[str, Package] = {
    "postgres": Package("PostgreSQL", "postgresql", "postgresql@15"),
    "redis": Package("Redis", "redis-server", "redis"),
}


def find_postgres(search_path: str | None = None) -> Path | None:
    """The folder with initdb, postgres and psql: the one on PATH, or the newest installed."""
    found = shutil.which("postgres", path=search_path)
    candidates = [Path(os.path.realpath(found)).parent] if found else []
    for root, pattern in _POSTGRES_FOLDERS:
        candidates += sorted(Path(root).glob(pattern), key=_version, reverse=True)
    return next((folder for folder in candidates if _has(folder, ("initdb", "postgres", "psql"))), None)


def find_redis(search_path: str | None = None) -> Path | None:
    """The path of redis-server."""
    found = shutil.which("redis-server", path=search_path)
    candidates = [Path(found)] if found else [Path(folder) / "redis-server" for folder in _REDIS_FOLDERS]
    return next((path for path in candidates if os.access(path, os.X_OK)), None)


def missing(systems: Iterable[str]) -> list[Package]:
    """The packages of `systems` (postgres, redis) that are not installed."""
    finders = {"postgres": find_postgres, "redis": find_redis}
    return [PACKAGES[name] for name in dict.fromkeys(systems) if finders[name]() is None]


def how_to_install(packages: Iterable[Package]) -> str:
    """The command for this system."""
    wanted = list(packages)
    if sys.platform == "darwin":
        return "brew install " + " ".join(one.brew for one in wanted)
    if shutil.which("apt-get"):
        names = " ".join(one.debian for one in wanted)
        return f"sudo apt-get install {names} (then stop the servers that Debian starts by itself)"
    return "install " + " and ".join(one.server for one in wanted) + " with your system's package manager"


def _version(folder: Path) -> tuple[int, ...]:
    digits = "".join(letter if letter.isdigit() else " " for letter in folder.parent.name).split()
    return tuple(int(part) for part in digits) or (0,)


def _has(folder: Path, names: Iterable[str]) -> bool:
    return all(os.access(folder / name, os.X_OK) for name in names)
