"""The running stack as verify, drills and queries see it, whichever runtime runs it."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

from firedrill import docker
from firedrill.errors import NotRunning, UsageError
from firedrill.local import control
from firedrill.local.layout import Layout, project_root
from firedrill.local.records import ServiceState, read_state
from firedrill.local.start import running_state, site
from firedrill.settings import read_settings

__all__ = ["ServiceState", "Stack", "current"]

Runtime = Literal["local", "docker"]
Pace = Literal["demo", "production"]


@dataclass(frozen=True)
class Stack:
    """A frozen view of a running stack; `root` is the project, `ports` per service container → host."""

    runtime: Runtime
    pace: Pace
    root: Path
    started: frozenset[str]
    settings: Mapping[str, str]
    ports: Mapping[str, Mapping[int, int]]
    state_folder: Path
    left_out: Mapping[str, str]

    def url(self, service: str, container_port: int | None = None) -> str:
        """http://127.0.0.1:<host port>; without a port, the first one of the service. Raises UsageError."""
        own = self.ports.get(service)
        if not own:
            raise UsageError(
                f"the service {service!r} has no port", f"there are: {', '.join(sorted(self.ports))}"
            )
        inside = next(iter(own)) if container_port is None else container_port
        if inside not in own:
            raise UsageError(f"{service} has no port {inside}", f"it has: {', '.join(map(str, own))}")
        return f"http://127.0.0.1:{own[inside]}"

    def state(self) -> Mapping[str, ServiceState]:
        """The services as they are now. Raises NotRunning when the stack ended meanwhile."""
        if self.runtime == "docker":
            return docker.states(self.root)
        state = read_state(Layout(self.state_folder).state_file)
        if state is None or state.status not in {"running", "stopping"}:
            raise NotRunning("the stack has ended", todo="start it: make up")
        return state.services

    def stop_service(self, name: str) -> None:
        """Stop a service and hold it down; returns when it is down. No restart policy brings it back."""
        if self.runtime == "docker":
            docker.stop_service(self.root, name)
        else:
            control.send(Layout(self.state_folder).socket, "hold", name)

    def start_service(self, name: str) -> None:
        """Let a service run again; returns before it is ready."""
        if self.runtime == "docker":
            docker.start_service(self.root, name)
        else:
            control.send(Layout(self.state_folder).socket, "release", name)


def current(environ: Mapping[str, str] | None = None) -> Stack:
    """The running stack of this project. Raises NotRunning with what to do."""
    known = os.environ if environ is None else environ
    project = project_root(known)
    where = site(project, known)
    state = running_state(where.layout)
    if state is not None and state.services:
        launch = importlib.import_module("firedrill.local.launch").read_launch(where.layout)
        return Stack(
            runtime="local",
            pace=cast(Pace, state.pace),
            root=project,
            started=frozenset(state.services),
            settings=launch.settings,
            ports={name: {int(key): port for key, port in own.items()} for name, own in state.ports.items()},
            state_folder=where.layout.root,
            left_out=state.left_out,
        )
    running = docker.read_marker(where.layout)
    if running is not None:
        settings = read_settings(project, known)
        topology = docker.topology(project, settings)
        return Stack(
            runtime="docker",
            pace=cast(Pace, running),
            root=project,
            started=frozenset(docker.states(project)),
            settings=settings.values,
            ports={
                name: {port.container: port.host for port in service.ports}
                for name, service in topology.services.items()
            },
            state_folder=where.layout.root,
            left_out={},
        )
    raise NotRunning(
        "the stack is not running", f"no running supervisor in {where.layout.root}", "start it: make up"
    )
