"""Roots of Debian 12 for the images based on it: made once by debootstrap and apt, kept by content."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SUITE = "bookworm"
FORBID_START = "#!/bin/sh\nexit 101\n"
# As the official images: fixed numbers, so the users are there before the packages would make their own.
USER_999 = "groupadd -r -g 999 {name} && useradd -r -g {name} -u 999 -d {home} -s /usr/sbin/nologin {name}"
LEFT_OVERS = (
    "var/cache/apt", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale", "var/log",
)  # fmt: skip
# The official Python image has its own Python, which pip may change.
OPEN_TO_PIP = (
    "rm /usr/lib/python3.11/EXTERNALLY-MANAGED && ln -s /usr/bin/python3 /usr/local/bin/python"
    " && ln -s /usr/bin/pip3 /usr/local/bin/pip"
)


@dataclass(frozen=True)
class Root:
    """A root: Debian's minimum and `packages`; a shell runs `before` and `after` in it."""

    name: str
    packages: tuple[str, ...] = ()
    before: str = "true"
    after: str = "true"

    @property
    def key(self) -> str:
        """Of everything that shapes it."""
        return hashlib.sha256(repr((SUITE, LEFT_OVERS, self)).encode()).hexdigest()[:16]


BASE = Root("base")
PYTHON = Root("python", ("python3", "python3-pip", "python3-venv", "ca-certificates"), after=OPEN_TO_PIP)
POSTGRES = Root("postgres", ("postgresql-15",), USER_999.format(name="postgres", home="/var/lib/postgresql"))
REDIS = Root("redis", ("redis-server", "redis-tools"), USER_999.format(name="redis", home="/data"))


def make(root: Root, folder: Path) -> Path:
    """The root's folder below `folder`; made when it is not there yet."""
    target = folder / f"{root.name}-{root.key}"
    if target.is_dir():
        return target
    part = target.with_name(target.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    if root == BASE:
        _nice(
            "debootstrap", "--variant=minbase", f"--cache-dir={_cache(folder)}", SUITE, str(part), _mirror()
        )
    else:
        _nice("cp", "-a", str(make(BASE, folder)), str(part))
        _install(root, part)
    for left_over in LEFT_OVERS:
        for path in (part / left_over).iterdir() if (part / left_over).is_dir() else ():
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    part.rename(target)
    return target


def _cache(folder: Path) -> Path:
    cache = folder / "debs"
    cache.mkdir(exist_ok=True)
    return cache.resolve()


def _mirror() -> str:
    """Where this machine's apt has Debian's main archive from."""
    asked = [
        "apt-get",
        "indextargets",
        "--format",
        "$(REPO_URI) $(CODENAME) $(COMPONENT)",
        "Created-By: Packages",
    ]
    text = subprocess.run(asked, capture_output=True, text=True, check=True).stdout
    for line in text.splitlines():
        address, _, rest = line.partition(" ")
        if rest == f"{SUITE} main":
            return address
    raise AssertionError(f"this machine's apt knows no {SUITE} main")


def _install(root: Root, target: Path) -> None:
    policy = target / "usr/sbin/policy-rc.d"
    policy.write_text(FORBID_START)
    policy.chmod(0o755)
    shutil.copy("/etc/resolv.conf", target / "etc/resolv.conf")
    own = target / "etc/apt/apt.conf.d/99host"
    own.write_text(_host_apt())
    (target / "etc/apt/sources.list").write_text(f"deb {_mirror()} {SUITE} main\n")
    (target / "etc/postgresql-common").mkdir(exist_ok=True)
    (target / "etc/postgresql-common/createcluster.conf").write_text("create_main_cluster = false\n")
    with _mounted(target / "proc"):
        _nice("chroot", str(target), "sh", "-ec", root.before)
        _nice("chroot", str(target), "apt-get", "update", "-qq")
        _nice(
            "chroot", str(target), "apt-get", "install", "-y", "-qq", "--no-install-recommends",
            "-o", "Dpkg::Options::=--force-confold", *root.packages,
        )  # fmt: skip
        _nice("chroot", str(target), "sh", "-ec", root.after)
    for path in (policy, own):
        path.unlink()
    (target / "etc/resolv.conf").unlink()


def _host_apt() -> str:
    """Proxies and the like that this machine's apt is told to use."""
    text = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = ("Acquire::http", "Acquire::https", "Acquire::Check-")
    return "".join(f"{line}\n" for line in text.splitlines() if line.startswith(wanted))


@contextmanager
def _mounted(proc: Path) -> Iterator[None]:
    """/proc, as the packages' scripts want it."""
    subprocess.run(["mount", "-t", "proc", "proc", str(proc)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(proc)], check=True)


def _nice(*command: str) -> None:
    environ = {
        **{name: value for name, value in os.environ.items() if "proxy" in name.lower()},
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "DEBIAN_FRONTEND": "noninteractive",
        "LC_ALL": "C",
        "HOME": "/root",
    }
    done = subprocess.run(
        ["nice", "-n", "19", *command], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    text = f"{done.stdout[-1500:]}\n{done.stderr[-1500:]}"
    assert done.returncode == 0, f"{' '.join(command)}: exit {done.returncode}\n{text}"
