"""For root: the account that the stack runs as, its folders, and a copy of the project that it can read."""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from firedrill.errors import EnvironmentProblem
from firedrill.local.layout import python

ACCOUNT, LAST_RESORT = "firedrill", "nobody"
# What the stack runs from; the rest of a checkout (history, tests, documents) stays where it is.
COPIED = (
    "docker-compose.yml", ".env.example", "pyproject.toml", "backends", "config", "console", "dashboards",
    "faults", "firedrill", "fraudmodel", "limits", "loadtest", "services", "telemetry",
)  # fmt: skip
_NOT_COPIED = ("__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache")


@dataclass(frozen=True)
class Account:
    """A user of the system without rights of its own."""

    name: str
    uid: int
    gid: int


def unprivileged_account() -> Account:
    """The account `firedrill`, made when it is missing; `nobody` where none can be made."""
    found = _account(ACCOUNT)
    if found is None and shutil.which("useradd"):
        subprocess.run(
            ["useradd", "--system", "--user-group", "--no-create-home", "--home-dir", "/nonexistent",
             "--shell", "/usr/sbin/nologin", ACCOUNT],
            capture_output=True, check=False,
        )  # fmt: skip
        found = _account(ACCOUNT)
    found = found or _account(LAST_RESORT)
    if found is None:
        raise EnvironmentProblem(
            "there is no account to run the stack as",
            f"you are root, the stack must not be, and neither {ACCOUNT} nor {LAST_RESORT} exists",
            "run as an ordinary user",
        )
    return found


def _account(name: str) -> Account | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Account(name, entry.pw_uid, entry.pw_gid)


def own_folder(folder: Path, account: Account, *, deep: bool) -> None:
    """Make `folder` and give it (with `deep` all in it) to the account; parents that are made stay root's."""
    folder.mkdir(parents=True, exist_ok=True)
    _give(folder, account)
    if deep:
        for path in folder.rglob("*"):
            _give(path, account)


def owns_top(folder: Path, account: Account) -> bool:
    """True when the folder and what lies up to three levels below it belong to the account."""
    if not folder.exists():
        return False
    near = [folder, *folder.glob("*"), *folder.glob("*/*"), *folder.glob("*/*/*")]
    return all((entry := path.lstat()).st_uid == account.uid and entry.st_gid == account.gid for path in near)


def _give(path: Path, account: Account) -> None:
    entry = path.lstat()
    if (entry.st_uid, entry.st_gid) != (account.uid, account.gid):
        os.lchown(path, account.uid, account.gid)


def check_access(account: Account, folders: Iterable[Path]) -> None:
    """Run our Python as the account and enter `folders`. Raises EnvironmentProblem naming what is closed."""
    for folder in folders:
        _try(
            account,
            ["/bin/sh", "-c", 'cd "$0" && test -w .', str(folder)],
            f"{folder} cannot be entered by {account.name}",
        )
    start = [python(), "-c", "import psutil, yaml, uvicorn"]
    _try(account, start, f"{python()} cannot be run by {account.name}")


def _try(account: Account, command: Sequence[str], what: str) -> None:
    done = subprocess.run(
        list(command), cwd="/", env={"PATH": os.defpath}, user=account.uid, group=account.gid,
        extra_groups=[], capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise EnvironmentProblem(
            what,
            f"you are root, so the stack runs as {account.name}: {said[0]}",
            "rm .venv and run `make up` again, or run as an ordinary user",
        )


def copy_project(project: Path, target: Path, account: Account) -> None:
    """Make `target` hold what the stack runs from, changing only what differs; it belongs to the account."""
    target.mkdir(parents=True, exist_ok=True)
    wanted: set[Path] = set()
    for name in COPIED:
        source = project / name
        if source.is_dir():
            for path in sorted(source.rglob("*")):
                if not any(part in _NOT_COPIED for part in path.parts):
                    _copy(path, target / path.relative_to(project), wanted)
        elif source.exists():
            _copy(source, target / name, wanted)
    for path in sorted(target.rglob("*"), reverse=True):
        if path not in wanted and "__pycache__" not in path.parts and path.is_file():
            path.unlink()
    own_folder(target, account, deep=True)


def _copy(source: Path, target: Path, wanted: set[Path]) -> None:
    wanted.add(target)
    if source.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    if not source.is_file():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    new = source.stat()
    old = target.stat() if target.exists() else None
    if old is None or (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns):
        shutil.copy2(source, target)
    target.chmod(new.st_mode | 0o444)
