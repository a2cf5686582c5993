"""Where built binaries are kept and how the go command is found, read once from the environment."""

import os
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

USUAL_GO_FOLDERS = ("/usr/local/go/bin", "/opt/homebrew/bin", "/usr/lib/go/bin")
_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def machine_target() -> tuple[str, str]:
    """This machine as Go names it, for example ("linux", "amd64")."""
    machine = platform.machine().lower()
    return ("darwin" if sys.platform == "darwin" else "linux"), _ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True)
class Settings:
    """The cache folder, the search path and the environment that go children start from."""

    cache: Path
    use_path: bool
    search_path: str
    environ: Mapping[str, str]
    go_folders: tuple[str, ...] = USUAL_GO_FOLDERS

    @property
    def target(self) -> str:
        return "-".join(machine_target())

    @property
    def bin(self) -> Path:
        return self.cache / "bin"

    @property
    def logs(self) -> Path:
        return self.cache / "logs"

    @property
    def work(self) -> Path:
        """Scratch space of the one running build; whatever an earlier one left there is swept."""
        return self.cache / "work"

    @property
    def lock(self) -> Path:
        return self.cache / "build.lock"


def from_environment(environ: Mapping[str, str], *, as_root: bool | None = None) -> Settings:
    """FIREDRILL_CACHE, or /var/cache/firedrill for root, or the XDG cache folder; FIREDRILL_USE_PATH=0."""
    root = os.geteuid() == 0 if as_root is None else as_root
    return Settings(
        cache=_cache_folder(environ, root),
        use_path=environ.get("FIREDRILL_USE_PATH", "1") not in {"0", "false", "no"},
        search_path=environ.get("PATH", os.defpath),
        environ=dict(environ),
    )


def _cache_folder(environ: Mapping[str, str], as_root: bool) -> Path:
    if configured := environ.get("FIREDRILL_CACHE"):
        return Path(configured).expanduser().absolute()
    if as_root:
        return Path("/var/cache/firedrill")  # root's home is closed to the user that serves
    if xdg := environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "firedrill"
    return Path(environ.get("HOME") or Path.home()) / ".cache" / "firedrill"
