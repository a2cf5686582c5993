"""From the topology to processes: what runs here, with which words, environment, folders and files."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from firedrill.alert_links import moved_links
from firedrill.errors import TopologyError
from firedrill.keys import Keys
from firedrill.local.addresses import Addresses, UnknownPeerPortError
from firedrill.local.configs import File, Pace, render, with_keys
from firedrill.local.layout import Layout
from firedrill.settings import Settings
from firedrill.switches import active_profiles, replaced
from firedrill.topology import Dependency, Mount, Service, Topology, read_topology

COMPOSE_FILE = "docker-compose.yml"
LOGS_VOLUME = "service-logs"
ProbeKind = Literal["http", "tcp", "postgres"]


@dataclass(frozen=True)
class Probe:
    """How to ask a process on loopback whether it is ready."""

    kind: ProbeKind
    port: int
    path: str = "/"


@dataclass(frozen=True)
class Program:
    """What to run: a module of our Python, a system's server by recipe, or a binary to be located."""

    kind: Literal["python", "postgres", "redis", "binary"]
    name: str


@dataclass(frozen=True)
class Process:
    """One process to supervise; `component` is what the builder calls its binary's source."""

    name: str
    program: Program
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    probe: Probe | None = None
    depends_on: tuple[Dependency, ...] = ()
    restart: str = "unless-stopped"
    stop_grace_seconds: float = 10.0
    stop_signal: str = "SIGTERM"
    component: str | None = None
    ports: tuple[int, ...] = ()
    data: Path | None = None
    scripts: Path | None = None


@dataclass(frozen=True)
class Plan:
    """The stack as it will run; `folders` must exist, `emptied` be empty, `files()` gives the configs."""

    topology: Topology
    processes: Mapping[str, Process]
    left_out: Mapping[str, str]
    ports: Mapping[str, Mapping[int, int]]
    folders: tuple[Path, ...]
    emptied: tuple[Path, ...]
    shows: tuple[str, ...]
    files: Callable[[], Iterator[File]] = field(repr=False)


def make_plan(
    project: Path, settings: Settings, layout: Layout, *, pace: Pace, find: Callable[[str], Path | None]
) -> Plan:
    """Read docker-compose.yml and decide what runs; `find` looks on PATH. TopologyError, UsageError."""
    own = {"OWN_DIR": settings.get("OWN_DIR") or str(layout.own)}
    topology = read_topology(project / COMPOSE_FILE, local_variables(settings) | own)
    left_out = _left_out(topology, settings, find)
    started = {name: service for name, service in topology.services.items() if name not in left_out}
    offset, keys = settings.port_offset, Keys.of(settings)
    ports = {
        service.name: {port.container: port.host + offset for port in service.ports}
        for service in topology.services.values()
    }
    places = {service.name: _Place(service, project, layout, ports, offset) for service in started.values()}
    processes = {name: place.process(frozenset(started)) for name, place in places.items()}

    def led(path: Path, text: str) -> str:
        return moved_links(pace(path, text), ports, started)

    def files() -> Iterator[File]:
        for place in places.values():
            yield from (with_keys(file, keys) for file in place.files(led, frozenset(started)))

    return Plan(
        topology,
        processes,
        left_out,
        ports,
        tuple(folder for place in places.values() for folder in place.folders()),
        tuple(folder for place in places.values() for folder in place.emptied()),
        tuple(_shown(service, ports) for service in started.values() if service.hints.shows),
        files,
    )


def local_variables(settings: Settings) -> dict[str, str]:
    """The settings, with those that `up` sets for the local runtime."""
    return {
        **settings.values,
        "CONFIG_DIR": "",
        "RULES_DIR": "",
        "DELIVERY_DIR": "",
        "COLLECTOR_OVERLAY": "tempo" if settings.get("TRACES") == "all" else "jaeger",
        **paced_variables(settings),
    }


def paced_variables(settings: Settings) -> dict[str, str]:
    """What docker-compose.yml itself has to know of the pace."""
    demo = settings.pace == "demo"
    return {
        "RULES_PACE": settings.pace,
        "RULES_RESEND_DELAY": "6s" if demo else "1m",
        "INBOX_HEARTBEAT_LIMIT": settings.get("INBOX_HEARTBEAT_LIMIT") or ("18" if demo else "180"),
    }


def _left_out(topology: Topology, settings: Settings, find: Callable[[str], Path | None]) -> dict[str, str]:
    """Services that do not run here, each with its reason."""
    active, others = active_profiles(settings.values), replaced(settings.values)
    out: dict[str, str] = {}
    for service in topology.services.values():
        hints = service.hints
        if service.name in others:
            out[service.name] = others[service.name]
        elif hints.local == "off":
            out[service.name] = "runs in docker only"
        elif hints.local == "tempo" and settings.get("TRACES") != "all":
            out[service.name] = "starts with TRACES=all"
        elif hints.local == "path-only" and find(hints.binary or service.name) is None:
            out[service.name] = f"no {hints.binary or service.name} on PATH"
        elif service.name == "traffic" and settings.get("TRAFFIC") == "off":
            out[service.name] = "TRAFFIC=off"
        elif service.profiles and not active & set(service.profiles):
            out[service.name] = f"profile {', '.join(service.profiles)} is not active"
    return out


def _shown(service: Service, ports: Mapping[str, Mapping[int, int]]) -> str:
    text = service.hints.shows or ""
    for container, host in ports[service.name].items():
        text = text.replace(f"self:{container}", f"127.0.0.1:{host}")
    return text


class _Place:
    """One service put into the state folder."""

    def __init__(
        self,
        service: Service,
        project: Path,
        layout: Layout,
        ports: Mapping[str, Mapping[int, int]],
        offset: int,
    ) -> None:
        self._service, self._project, self._layout = service, project, layout
        self._own = ports[service.name]
        peers = {(name, container): host for name, own in ports.items() for container, host in own.items()}
        self._targets = {mount.target: self._here(mount) for mount in service.mounts}
        paths = {target: str(path) for target, path in self._targets.items()}
        self._addresses = Addresses(self._own, peers, paths, offset)

    def process(self, started: frozenset[str]) -> Process:
        service, hints = self._service, self._service.hints
        program = self._program()
        words = (*service.entrypoint, *service.command)
        if program.kind != "binary":
            # The first word names the program, as it does in the image.
            words = words[1:]
        try:
            arguments = self._addresses.arguments(words)
            environment = self._addresses.environment(
                {
                    key: value
                    for key, value in service.environment.items()
                    if key not in hints.drop_environment
                }
            )
        except UnknownPeerPortError as error:
            raise TopologyError(
                f"docker-compose.yml:{service.line}: an address of {service.name} leads nowhere",
                str(error),
                "correct the port, or add it to ports or expose",
            ) from None
        shared = any(mount.source == LOGS_VOLUME and not mount.read_only for mount in service.mounts)
        return Process(
            name=service.name,
            program=program,
            arguments=arguments,
            environment=environment,
            log=self._layout.log_of(service.name, shared=shared),
            probe=self._probe(),
            depends_on=tuple(one for one in service.depends_on if one.service in started),
            restart=service.restart,
            stop_grace_seconds=service.stop_grace_seconds,
            stop_signal=service.stop_signal or "SIGTERM",
            component=hints.component,
            ports=tuple(self._own.values()),
            data=self._target_of("volume"),
            scripts=self._targets.get("/docker-entrypoint-initdb.d"),
        )

    def files(self, pace: Pace, started: frozenset[str]) -> Iterator[File]:
        for mount in self._service.mounts:
            if mount.kind == "bind" and self._is_copied(mount):
                target = self._targets[mount.target]
                yield from render(self._source(mount), target, self._addresses, pace=pace, started=started)

    def folders(self) -> tuple[Path, ...]:
        return tuple(
            self._targets[mount.target]
            for mount in self._service.mounts
            if mount.kind in {"volume", "tmpfs"} or self._is_own(mount)
        )

    def emptied(self) -> tuple[Path, ...]:
        return tuple(self._targets[mount.target] for mount in self._service.mounts if mount.kind == "tmpfs")

    def _program(self) -> Program:
        service, hints = self._service, self._service.hints
        if hints.python:
            if not service.command:
                raise TopologyError(
                    f"docker-compose.yml:{service.line}: service {service.name} has no command",
                    "python: true runs the command's first word",
                    "give it a command",
                )
            return Program("python", service.command[0])
        if hints.system is not None:
            return Program(hints.system, hints.system)
        if hints.binary is not None:
            return Program("binary", hints.binary)
        raise TopologyError(
            f"docker-compose.yml:{service.line}: it is not known what to run for {service.name}",
            "an image says it in docker; here x-firedrill must: binary, python or system",
            "add x-firedrill to the service, or run with containers: make up RUNTIME=docker",
        )

    def _probe(self) -> Probe | None:
        ready = self._service.hints.ready
        if ready is None:
            return None
        port = self._own[ready.port]
        return (
            Probe("postgres", port)
            if self._service.hints.system == "postgres"
            else Probe(ready.scheme, port, ready.path)
        )

    def _target_of(self, kind: str) -> Path | None:
        found = [self._targets[mount.target] for mount in self._service.mounts if mount.kind == kind]
        return found[0] if found else None

    def _here(self, mount: Mount) -> Path:
        """Where a container's path lies on this machine."""
        if mount.kind == "volume":
            return self._layout.volume(mount.source)
        inside = mount.target.strip("/")
        if mount.kind == "tmpfs":
            return self._layout.temporary / self._service.name / inside
        if self._is_copied(mount):
            return self._layout.config_of(self._service.name) / inside
        return self._source(mount)

    def _source(self, mount: Mount) -> Path:
        source = Path(os.path.normpath(self._project / Path(mount.source).expanduser()))
        if not source.exists() and not source.is_relative_to(self._layout.own):
            raise TopologyError(
                f"docker-compose.yml: service {self._service.name} mounts {mount.source}, which is not there",
                f"looked at {source}",
                "restore it (git status shows what is missing)",
            )
        return source

    def _is_copied(self, mount: Mount) -> bool:
        """Files of the project are copied; the machine's own (/, /proc) are used where they are.

        So are the user's own in the state folder: what is put there has to be seen at once.
        """
        return self._source(mount).is_relative_to(self._project) and not self._is_own(mount)

    def _is_own(self, mount: Mount) -> bool:
        return mount.kind == "bind" and self._source(mount).is_relative_to(self._layout.own)
