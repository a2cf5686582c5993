"""What would run if everything were started anew: each mounted file as it stands now in the project."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from firedrill import docker
from firedrill.copies import paced_copies
from firedrill.local.layout import Layout
from firedrill.local.plan import make_plan
from firedrill.local.programs import find_on_path, pacer
from firedrill.settings import Settings
from firedrill.stack import Stack
from firedrill.topology import Service, Topology


@dataclass(frozen=True)
class Piece:
    """One file that a service reads: `inside` its container, `live` here; `content` is what it is to hold."""

    service: str
    inside: PurePosixPath
    source: Path
    live: Path
    content: bytes

    @property
    def changed(self) -> bool:
        """Whether the running copy differs."""
        try:
            return self.live.read_bytes() != self.content
        except OSError:
            return True


@dataclass(frozen=True)
class Candidate:
    """All pieces, the topology that mounts them, and running copies whose source is gone.

    `contained` says that the files name folders of a container.
    """

    topology: Topology
    pieces: tuple[Piece, ...]
    gone: tuple[tuple[str, Path], ...] = ()
    contained: bool = False

    def of(self, service: str) -> tuple[Piece, ...]:
        """The files of one service."""
        return tuple(piece for piece in self.pieces if piece.service == service)

    def volumes(self, service: str) -> tuple[str, ...]:
        """The folders of its container that a service has for itself and that are not on this machine."""
        mounts = self.topology.services[service].mounts if self.contained else ()
        return tuple(mount.target for mount in mounts if mount.kind == "volume")

    def touched(self) -> frozenset[str]:
        """The services of which a file is new, changed or gone."""
        changed = {piece.service for piece in self.pieces if piece.changed}
        return frozenset(changed | {service for service, _ in self.gone})


def candidate(stack: Stack, scratch: Path) -> Candidate:
    """The project's files as the running stack would get them; `scratch` is an empty folder.

    Raises TopologyError, with file and line, for YAML that cannot be read and for rules without a pace.
    """
    settings = Settings(stack.settings)
    return (_docker if stack.runtime == "docker" else _local)(stack, settings, scratch)


def _local(stack: Stack, settings: Settings, scratch: Path) -> Candidate:
    layout = Layout(stack.state_folder)
    plan = make_plan(stack.root, settings, layout, pace=pacer(settings.pace), find=find_on_path)
    pieces = []
    for file in plan.files():
        name, *rest = file.target.relative_to(layout.config).parts
        inside = PurePosixPath("/", *rest)
        source = _source(plan.topology.services[name], inside, stack.root)
        pieces.append(Piece(name, inside, source, file.target, file.content))
    folders = {piece.live.parent for piece in pieces}
    known = {piece.live for piece in pieces}
    gone = [
        (path.relative_to(layout.config).parts[0], path)
        for folder in sorted(folders)
        for path in (sorted(folder.iterdir()) if folder.is_dir() else ())
        if path.is_file() and path not in known
    ]
    return Candidate(plan.topology, tuple(pieces), tuple(gone))


def _docker(stack: Stack, settings: Settings, scratch: Path) -> Candidate:
    paced_copies(stack.root, settings, scratch)
    topology = docker.topology(stack.root, settings)
    running = Layout(stack.state_folder).root / "docker"
    pieces, gone = [], []
    for service in topology.services.values():
        if service.name not in stack.started:
            continue
        for inside, source in _mounted(service, stack.root):
            relative = source.relative_to(stack.root)
            copy = scratch / relative
            if copy.is_file():
                pieces.append(Piece(service.name, inside, source, running / relative, copy.read_bytes()))
    known = {piece.live for piece in pieces}
    for piece in pieces:
        gone += [
            (piece.service, path)
            for path in sorted(piece.live.parent.glob("*"))
            if path.is_file() and path not in known and (piece.service, path) not in gone
        ]
    return Candidate(topology, tuple(pieces), tuple(gone), contained=True)


def _mounted(service: Service, project: Path) -> Iterator[tuple[PurePosixPath, Path]]:
    """Container path and source of each file of the project that a service mounts."""
    for mount in service.mounts:
        source = Path(os.path.normpath(project / mount.source))
        if mount.kind != "bind" or not source.is_relative_to(project):
            continue
        target = PurePosixPath(mount.target)
        if source.is_file():
            yield target, source
        for path in sorted(source.rglob("*")) if source.is_dir() else ():
            if path.is_file():
                yield target / path.relative_to(source).as_posix(), path


def _source(service: Service, inside: PurePosixPath, project: Path) -> Path:
    """Where a file of a container comes from; the innermost mount decides."""
    mounts = [mount for mount in service.mounts if inside.is_relative_to(mount.target)]
    mount = max(mounts, key=lambda one: len(one.target))
    source = Path(os.path.normpath(project / mount.source))
    below = inside.relative_to(mount.target)
    return source if not below.parts else source.joinpath(*below.parts)
