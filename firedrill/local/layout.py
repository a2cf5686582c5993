"""Where a local stack keeps its state, and where built binaries are cached."""

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

# The shortest limit of a Unix socket's path: macOS, 104 bytes with the closing zero.
LONGEST_SOCKET_PATH = 100
SYSTEM_STATE = Path("/var/lib/firedrill")
SYSTEM_CACHE = Path("/var/cache/firedrill")


def project_root(environ: Mapping[str, str]) -> Path:
    """The folder that holds docker-compose.yml: FIREDRILL_PROJECT, or where this package lies."""
    given = environ.get("FIREDRILL_PROJECT")
    return Path(given).resolve() if given else Path(__file__).resolve().parents[2]


def state_folder(project: Path, environ: Mapping[str, str], *, root: bool) -> Path:
    """FIREDRILL_STATE, or .firedrill in the project; for root a folder that others can reach."""
    given = environ.get("FIREDRILL_STATE")
    if given:
        return Path(given).expanduser().resolve()
    if not root:
        return project / ".firedrill"
    mark = hashlib.sha256(str(project).encode()).hexdigest()[:8]
    return SYSTEM_STATE / f"{project.name}-{mark}"


def cache_folder(environ: Mapping[str, str], *, root: bool) -> Path:
    """FIREDRILL_CACHE, or the user's cache; for root /var/cache/firedrill."""
    given = environ.get("FIREDRILL_CACHE")
    if given:
        return Path(given).expanduser().resolve()
    if root:
        return SYSTEM_CACHE
    home = environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "firedrill"


def python() -> str:
    """Our Python by its real path: .venv may be a link in a checkout that others cannot enter."""
    real = Path(sys.prefix).resolve() / "bin" / "python"
    return str(real) if real.exists() else sys.executable


def is_root() -> bool:
    """True when this process may do everything, so that the stack must run as somebody else."""
    return os.geteuid() == 0


@dataclass(frozen=True)
class Layout:
    """The paths under one state folder."""

    root: Path

    @property
    def config(self) -> Path:
        """Per service, the mounted files with names and binds resolved: config/<service>/<container path>."""
        return self.root / "config"

    @property
    def data(self) -> Path:
        """One folder for each named volume; `down` keeps it, `clean` deletes it."""
        return self.root / "data"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def temporary(self) -> Path:
        """What is a tmpfs in docker; emptied at each start."""
        return self.root / "tmp"

    @property
    def project_copy(self) -> Path:
        """The code, for a root whose checkout others cannot read."""
        return self.root / "project"

    @property
    def own(self) -> Path:
        """Where users put target files and logs of services of their own: own/targets and own/logs."""
        return self.root / "own"

    @property
    def launch_file(self) -> Path:
        """What `up` tells the supervisor; holds secrets, mode 0600."""
        return self.root / "launch.json"

    @property
    def state_file(self) -> Path:
        return self.root / "state.json"

    @property
    def timeline_file(self) -> Path:
        return self.root / "timeline.json"

    @property
    def processes_file(self) -> Path:
        """Every process of ours that may be alive, by id and start time."""
        return self.root / "processes.json"

    @property
    def lock_file(self) -> Path:
        return self.root / "supervisor.lock"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisor.log"

    @property
    def socket(self) -> Path:
        """The control socket; in the temporary folder when the state's own path is too long for one."""
        own = self.root / "run" / "control.sock"
        if len(os.fsencode(own)) <= LONGEST_SOCKET_PATH:
            return own
        mark = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"firedrill-{mark}" / "control.sock"

    def config_of(self, service: str) -> Path:
        return self.config / service

    def volume(self, name: str) -> Path:
        return self.data / name

    def log_of(self, service: str, *, shared: bool) -> Path:
        """Where a service's output goes; `shared` is the volume that Promtail reads."""
        return (self.volume("service-logs") if shared else self.logs) / f"{service}.log"

    def make_folders(self) -> None:
        """Make what is missing; the state is its owner's alone."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        for folder in (self.config, self.data, self.logs, self.temporary, self.socket.parent):
            folder.mkdir(parents=True, exist_ok=True)
        self.socket.parent.chmod(0o700)
