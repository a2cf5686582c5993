"""Installs PostgreSQL and Redis with apt for root on Debian, without the servers that Debian would start."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from firedrill.errors import EnvironmentProblem
from firedrill.local.system import Package

POLICY = Path("/usr/sbin/policy-rc.d")
CREATE_CLUSTER = Path("/etc/postgresql-common/createcluster.conf")
_FORBID_START = "#!/bin/sh\nexit 101\n"
_INSTALL = ("install", "-y", "-qq", "--no-install-recommends")
_SETTING = re.compile(r"^#?\s*create_main_cluster\s*=.*$", re.MULTILINE)


def can_install() -> bool:
    """True where `install` can work: root, with apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(
    packages: Sequence[Package],
    say: Callable[[str], None],
    *,
    apt: Callable[[Sequence[str]], None] | None = None,
    policy: Path = POLICY,
    create_cluster: Path = CREATE_CLUSTER,
) -> None:
    """Install the packages; what kept their servers down is put back. Raises EnvironmentProblem."""
    names = [package.debian for package in packages]
    say(f"installing {' and '.join(package.server for package in packages)} with apt")
    run = apt or _apt
    with _content(policy, _FORBID_START, mode=0o755):
        run(["update", "-qq"])
        if any(package.debian == "postgresql" for package in packages):
            run([*_INSTALL, "postgresql-common"])
            text = create_cluster.read_text(encoding="utf-8") if create_cluster.exists() else ""
            off = "create_main_cluster = false"
            changed = _SETTING.sub(off, text) if _SETTING.search(text) else f"{text}\n{off}\n"
            with _content(create_cluster, changed, mode=0o644):
                run([*_INSTALL, *names])
        else:
            run([*_INSTALL, *names])


@contextmanager
def _content(path: Path, text: str, *, mode: int) -> Iterator[None]:
    """Give a file another content for a while."""
    before = (path.read_bytes(), path.stat().st_mode & 0o777) if path.exists() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    try:
        yield
    finally:
        if before is None:
            path.unlink(missing_ok=True)
        else:
            path.write_bytes(before[0])
            path.chmod(before[1])


def _apt(words: Sequence[str]) -> None:
    environ = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(
        ["apt-get", *words],
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise EnvironmentProblem(
            f"apt-get {words[0]} failed",
            " / ".join(said),
            "install by hand: apt-get install " + " ".join(word for word in words[1:] if word[0] != "-"),
        )
