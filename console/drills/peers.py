"""The stack that a drill runs in: the local runtime itself, or in a container what the environment names."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from console.settings import Settings
from firedrill import stack
from firedrill.drill.breaking import ServiceState
from firedrill.drill.live import RunningStack
from firedrill.drill.model import Drill, ProcessFault
from firedrill.errors import EnvironmentProblem, UsageError


def running_stack(settings: Settings, environ: Mapping[str, str]) -> RunningStack:
    """The stack around this console. Raises NotRunning when the local runtime has ended."""
    if settings.state is not None:
        return stack.current(environ)
    return Peers(settings)


def why_not(drill: Drill, settings: Settings) -> str:
    """Why a drill cannot run from this console, or nothing."""
    if not settings.token:
        return "the fault switches have no token: FAULTS_TOKEN is empty"
    if isinstance(drill.fault, ProcessFault):
        if settings.state is None:
            return (
                f"it stops {drill.fault.process}, and a console in a container cannot stop a process; "
                f"in a terminal: make drill NAME={drill.alert}"
            )
        return ""
    if drill.fault.service not in settings.services and settings.state is None:
        return f"{drill.fault.service} does not run here"
    return ""


@dataclass(frozen=True)
class Peers:
    """What a container knows of the stack: addresses, pace and token. It can stop no process."""

    known: Settings

    @property
    def runtime(self) -> str:
        """As firedrill.stack says it."""
        return "docker"

    @property
    def pace(self) -> str:
        """demo or production."""
        return self.known.pace

    @property
    def root(self) -> Path:
        """Where the project stands."""
        return self.known.project

    @property
    def started(self) -> frozenset[str]:
        """The services that have an address."""
        return frozenset(self._urls)

    @property
    def settings(self) -> Mapping[str, str]:
        """The token of the fault switches."""
        return {"FAULTS_TOKEN": self.known.token}

    def url(self, service: str, container_port: int | None = None) -> str:
        """The address of a service. Raises UsageError."""
        found = self._urls.get(service)
        if found is None:
            raise UsageError(
                f"the console knows no address of {service}", f"it knows {', '.join(self._urls)}"
            )
        return found

    def state(self) -> Mapping[str, ServiceState]:
        """Raises EnvironmentProblem."""
        self._cannot("tell how services are")

    def stop_service(self, name: str) -> None:
        """Raises EnvironmentProblem."""
        self._cannot(f"stop {name}")

    def start_service(self, name: str) -> None:
        """Raises EnvironmentProblem."""
        self._cannot(f"start {name}")

    @property
    def _urls(self) -> Mapping[str, str]:
        own = self.known
        backends = {
            "prometheus": own.prometheus,
            "loki": own.loki,
            "jaeger": own.jaeger,
            "tempo": own.tempo,
            "alertmanager": own.alertmanager,
            "inbox": own.inbox,
        }
        return {name: url for name, url in (backends | dict(own.services)).items() if url}

    def _cannot(self, what: str) -> NoReturn:
        raise EnvironmentProblem(
            f"this console cannot {what}", "it runs in a container", "firedrill drill, in a terminal"
        )
