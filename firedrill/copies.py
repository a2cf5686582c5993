"""Copies of config/ and of the rules at the pace asked for, which containers mount."""

import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path, PurePosixPath

from firedrill.alert_links import moved_links
from firedrill.keys import CONFIG, Keys
from firedrill.local.configs import is_target
from firedrill.local.plan import COMPOSE_FILE, paced_variables
from firedrill.local.programs import pacer
from firedrill.settings import Settings
from firedrill.switches import OPT_IN, active_profiles, replaced
from firedrill.topology import Topology, read_topology

COPIED = ("config", "services")


def paced_copies(project: Path, settings: Settings, folder: Path) -> dict[str, str]:
    """Write the copies, and give the variables that mount them. Raises TopologyError, UsageError."""
    write_copies(project, settings, folder)
    return variables(settings, folder)


def variables(settings: Settings, folder: Path) -> dict[str, str]:
    """The variables of docker-compose.yml that mount the copies in `folder`."""
    return {
        "CONFIG_DIR": str(folder / "config"), "RULES_DIR": str(folder / "services"),
        "COLLECTOR_OVERLAY": "tempo", "COMPOSE_PROFILES": ",".join(sorted(active_profiles(settings.values))),
        **paced_variables(settings),
    }  # fmt: skip


def write_copies(
    project: Path, settings: Settings, folder: Path, *, absent: Collection[str] = ()
) -> Sequence[PurePosixPath]:
    """Write the copies; the relative paths of those that are new, changed or gone.

    Services in `absent` do not run, and are no targets.

    In place, for running containers have the files and folders mounted; and readable for everybody, for each
    container has a user of its own, and a checkout may be closed to others.
    """
    pace, keys, ports = pacer(settings.pace), Keys.of(settings), _published(project, settings)
    changed: list[PurePosixPath] = []
    wanted: set[Path] = set()
    for source in _sources(project):
        relative = _place(source.relative_to(project), settings, absent)
        if relative is None:
            continue
        target = folder / relative
        wanted.add(target)
        content = source.read_bytes()
        if source.suffix == ".yml" and not is_target(source):
            text = moved_links(pace(target, content.decode("utf-8")), ports, ports)
            content = (keys.configuration(text) if source.name == CONFIG else text).encode()
        if not target.is_file() or target.read_bytes() != content:
            changed.append(PurePosixPath(relative.as_posix()))
        _write_for_all(folder, target, content)
    for name in COPIED:
        for path in sorted((folder / name).rglob("*")):
            if path.is_file() and path not in wanted:
                path.unlink()
                changed.append(PurePosixPath(path.relative_to(folder).as_posix()))
    return changed


def mounting(topology: Topology, changed: Sequence[PurePosixPath], folder: Path) -> Iterator[str]:
    """The services that mount one of the changed copies; `topology` is read with their variables."""
    paths = [folder / path for path in changed]
    for service in topology.services.values():
        mounts = [Path(os.path.normpath(mount.source)) for mount in service.mounts if mount.kind == "bind"]
        own = [mount for mount in mounts if mount.is_relative_to(folder)]
        if any(path.is_relative_to(mount) for mount in own for path in paths):
            yield service.name


def _sources(project: Path) -> Iterator[Path]:
    for name in COPIED:
        for path in sorted((project / name).rglob("*")):
            if path.is_file() and path.suffix not in {".py", ".pyc"}:
                yield path


def _published(project: Path, settings: Settings) -> dict[str, dict[int, int]]:
    """Per service container → host, moved by PORT_OFFSET."""
    services = read_topology(project / COMPOSE_FILE, settings.values).services.values()
    return {
        one.name: {port.container: port.host + settings.port_offset for port in one.ports} for one in services
    }


def _place(relative: Path, settings: Settings, absent: Collection[str]) -> Path | None:
    """Where a copy stands: a target file where Prometheus finds it, or not at all if that does not run."""
    if not is_target(relative):
        return relative
    opt_in = relative.parent.name == OPT_IN
    if relative.stem in absent or relative.stem in replaced(settings.values):
        return None
    if opt_in and relative.stem not in active_profiles(settings.values):
        return None
    return relative.parent.parent / relative.name if opt_in else relative


def _write_for_all(folder: Path, target: Path, content: bytes) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for one in (target.parent, *target.parent.parents):
        if one.is_relative_to(folder):
            one.chmod(0o755)
    if not target.is_file() or target.read_bytes() != content:
        target.write_bytes(content)
    target.chmod(0o644)
