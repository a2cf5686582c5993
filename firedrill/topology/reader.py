"""Reads docker-compose.yml: variables, a closed set of keys, and checks across services."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from firedrill.errors import TopologyError
from firedrill.topology import fields
from firedrill.topology.document import Document, Where
from firedrill.topology.interpolate import interpolate
from firedrill.topology.model import Hints, Mount, Port, Service, Topology

T = TypeVar("T")

USED = {
    "command", "depends_on", "entrypoint", "environment", "expose", "image", "ports", "profiles", "restart",
    "stop_grace_period", "stop_signal", "tmpfs", "volumes", "x-firedrill",
}  # fmt: skip
# Known and without meaning for processes on loopback: they shape containers, images and their networks.
WITHOUT_LOCAL_MEANING = {
    "build", "cap_add", "cap_drop", "container_name", "deploy", "healthcheck", "hostname", "init", "labels",
    "logging", "mem_limit", "mem_reservation", "cpus", "networks", "pid", "pids_limit", "platform",
    "pull_policy", "read_only", "security_opt", "shm_size", "ulimits", "user",
}  # fmt: skip
_TOP = {"name", "services", "volumes", "networks", "version"}
_RESTARTS = ("no", "always", "on-failure", "unless-stopped")


def read_topology(path: Path, variables: Mapping[str, str]) -> Topology:
    """Read docker-compose.yml with `variables` filled in. Raises TopologyError with file and line."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise TopologyError(
            f"{path} cannot be read", str(error), "run the command in the project's folder"
        ) from None
    raw = Document(path, text)
    document = Document(path, text, change=lambda value: interpolate(value, variables))
    data = document.data
    if not isinstance(data, dict) or not isinstance(data.get("services"), dict):
        raise document.error((), "there are no services", "a compose file needs a mapping 'services'")
    for key in data:
        if key not in _TOP and not key.startswith("x-"):
            raise document.error((key,), f"compose feature '{key}' is not known to the local runtime")
    services = {name: _Reader(document, raw, name).read() for name in data["services"]}
    topology = Topology(
        path, str(data.get("name") or path.parent.name), services, frozenset(data.get("volumes") or ())
    )
    _check(document, topology)
    return topology


class _Reader:
    """One service of the document."""

    def __init__(self, document: Document, raw: Document, name: str) -> None:
        self._document, self._name, self._where = document, name, ("services", name)
        self._data: Any = document.data["services"][name]
        self._raw: Any = raw.data["services"][name]

    def read(self) -> Service:
        if not isinstance(self._data, dict):
            raise self._document.error(self._where, f"service {self._name} is not a mapping")
        for key in self._data:
            self._refuse_unknown(key)
        return Service(
            name=self._name,
            line=self._document.line(self._where),
            hints=self._field("x-firedrill", fields.hints, Hints()),
            image=self._field("image", fields.scalar, ""),
            command=self._field("command", fields.words, ()),
            entrypoint=self._field("entrypoint", fields.words, ()),
            environment=self._field("environment", fields.environment, {}),
            ports=self._ports(),
            mounts=self._items("volumes", fields.mount) + self._tmpfs(),
            depends_on=self._field("depends_on", fields.dependencies, ()),
            restart=self._field("restart", _restart, "no"),
            profiles=self._items("profiles", fields.scalar),
            stop_grace_seconds=self._field("stop_grace_period", fields.seconds, 10.0),
            stop_signal=self._field("stop_signal", fields.scalar, None),
        )

    def _refuse_unknown(self, key: str) -> None:
        if key in USED or key in WITHOUT_LOCAL_MEANING or (key.startswith("x-") and key != "x-firedrill"):
            return
        raise self._document.error(
            (*self._where, key),
            f"service {self._name}: compose feature '{key}' is not known to the local runtime",
            "it would be ignored in silence, and the stack would not be what the file says",
            "remove it, or run with containers: make up RUNTIME=docker",
        )

    def _ports(self) -> tuple[Port, ...]:
        published = self._items("ports", fields.port, with_raw=True)
        taken = {port.container for port in published}
        exposed = self._items("expose", fields.exposed)
        return published + tuple(port for port in exposed if port.container not in taken)

    def _tmpfs(self) -> tuple[Mount, ...]:
        nothing: tuple[Mount, ...] = ()
        return self._field("tmpfs", fields.temporary, nothing)

    def _field(self, key: str, read: Callable[[Any], T], default: T) -> T:
        if key not in self._data:
            return default
        return self._guard((*self._where, key), key, lambda: read(self._data[key]))

    def _items(self, key: str, read: Callable[..., T], *, with_raw: bool = False) -> tuple[T, ...]:
        items = self._data.get(key) or []
        if not isinstance(items, list):
            raise self._document.error((*self._where, key), f"service {self._name}: {key} must be a list")
        raw = self._raw.get(key) or []
        found = []
        for index, item in enumerate(items):
            arguments = (item, raw[index]) if with_raw else (item,)
            found.append(self._guard((*self._where, key, index), key, partial(read, *arguments)))
        return tuple(found)

    def _guard(self, where: Where, key: str, read: Callable[[], T]) -> T:
        try:
            return read()
        except (ValueError, TypeError) as error:
            raise self._document.error(
                where, f"service {self._name}: {key} cannot be used", str(error), "mend that line"
            ) from None


def _restart(value: object) -> str:
    text = "no" if value is False else fields.scalar(value).partition(":")[0]
    if text not in _RESTARTS:
        raise ValueError(f"{text!r} is not known; compose has {', '.join(_RESTARTS)}")
    return text


def _check(document: Document, topology: Topology) -> None:
    """What only shows across services: dependencies, volumes, ready ports."""
    for service in topology.services.values():
        where: Where = ("services", service.name)
        for dependency in service.depends_on:
            if dependency.service not in topology.services:
                raise document.error(
                    (*where, "depends_on"),
                    f"service {service.name} depends on {dependency.service}, which is not there",
                )
        for mount in service.mounts:
            if mount.kind == "volume" and mount.source not in topology.volumes:
                raise document.error(
                    (*where, "volumes"),
                    f"service {service.name}: the volume '{mount.source}' is not declared",
                    "named volumes stand under 'volumes' at the end of the file",
                )
        ready = service.hints.ready
        if ready is not None and ready.port not in {port.container for port in service.ports}:
            raise document.error(
                (*where, "x-firedrill", "ready"),
                f"service {service.name}: ready asks port {ready.port}, which is not in ports or expose",
            )
    _refuse_cycles(document, topology)


def _refuse_cycles(document: Document, topology: Topology) -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            circle = " → ".join((*path[path.index(name) :], name))
            raise document.error(("services", name, "depends_on"), f"services wait for each other: {circle}")
        if name in done:
            return
        for dependency in topology.services[name].depends_on:
            visit(dependency.service, (*path, name))
        done.add(name)

    for name in topology.services:
        visit(name, ())
