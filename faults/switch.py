"""The switch that a service asks on its hot path whether one of its faults is set."""

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from faults.declared import Fault, Value, checked_ttl
from faults.state import SetFault, StateFile
from telemetry.logs import get_logger

if TYPE_CHECKING:
    from fastapi import FastAPI

    from telemetry.metrics import Counter, Metrics


LOOK_EVERY_SECONDS = 0.1
SET = "Fault set"
CLEARED = "Fault cleared"
ACTIONS = ("set", "cleared")


class UnknownFaultError(LookupError):
    """The service declares no fault of that name."""


@dataclass(frozen=True)
class SwitchSettings:
    """Whether and how faults may be set; `why_disabled` is empty when they may."""

    token: str
    folder: Path
    why_disabled: str = ""

    def __repr__(self) -> str:
        """Without the token, which must never reach a log."""
        return f"SwitchSettings(folder={self.folder}, why_disabled={self.why_disabled!r})"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "SwitchSettings":
        """From FAULTS_ENABLED, FAULTS_TOKEN, FAULTS_DIR and ENVIRONMENT; anything missing disables."""
        token = environ.get("FAULTS_TOKEN", "").strip()
        folder = environ.get("FAULTS_DIR", "").strip()
        if environ.get("ENVIRONMENT", "").strip().lower() in {"production", "prod"}:
            why = "faults are never available in ENVIRONMENT=production"
        elif environ.get("FAULTS_ENABLED", "").strip().lower() not in {"1", "true", "yes", "on"}:
            why = "faults are off; set FAULTS_ENABLED=1 to allow them"
        elif not token:
            why = "faults are off because FAULTS_TOKEN is not set"
        elif not folder:
            why = "faults are off because FAULTS_DIR is not set"
        else:
            why = ""
        return cls(token=token, folder=Path(folder), why_disabled=why)


class Switch:
    """Which faults are set now; one per process, all processes of a service obey the same state file."""

    def __init__(
        self,
        service: str,
        faults: Sequence[Fault],
        settings: SwitchSettings,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.faults: Mapping[str, Fault] = {fault.name: fault for fault in faults}
        if len(self.faults) != len(faults):
            raise ValueError(f"{service} declares a fault twice")
        self.why_disabled = settings.why_disabled
        self._log = get_logger("faults")
        self._token_digest = _digest(settings.token)
        self._clock = clock
        self._monotonic = monotonic
        self._file = StateFile(settings.folder, service, self.faults, clock=clock)
        self._set: Mapping[str, SetFault] = {}
        self._signature: object = None
        self._look_again_at = float("inf") if self.why_disabled else float("-inf")
        self._changes: Counter | None = None

    @classmethod
    def from_environment(cls, service: str, faults: Sequence[Fault], environ: Mapping[str, str]) -> "Switch":
        """A switch that is disabled unless FAULTS_ENABLED=1, token and folder are set, outside production."""
        return cls(service, faults, SwitchSettings.from_environment(environ))

    def active(self, name: str) -> Mapping[str, Value] | None:
        """The parameters of fault `name` while it is set, else None; UnknownFaultError if undeclared."""
        if name not in self.faults:
            raise UnknownFaultError(name)
        if self._monotonic() >= self._look_again_at:
            self._look()
        if not self._set:
            return None
        found = self._set.get(name)
        if found is None or found.expires_at <= self._clock():
            return None
        return found.parameters

    def all_active(self) -> dict[str, SetFault]:
        """Every fault that is set and not expired, as of at most LOOK_EVERY_SECONDS ago."""
        if self._monotonic() >= self._look_again_at:
            self._look()
        now = self._clock()
        return {name: found for name, found in self._set.items() if found.expires_at > now}

    def set(self, name: str, parameters: Mapping[str, object], ttl_seconds: object) -> SetFault:
        """Set a fault for all processes; blocks on a file lock.

        Raises UnknownFaultError, BadParameterError or StateUnavailableError, and then has set nothing.
        """
        if name not in self.faults:
            raise UnknownFaultError(name)
        checked = self.faults[name].checked(parameters)
        ttl = checked_ttl(ttl_seconds)
        now = self._clock()
        wanted = SetFault(checked, set_at=now, expires_at=now + ttl)
        self._change(lambda current: current.update({name: wanted}))
        self._log.warning(SET, fault=name, parameters=checked, ttl_seconds=ttl)
        self._count("set", name)
        return wanted

    def clear(self, name: str | None = None) -> None:
        """Clear one fault, or all; blocks on a file lock. UnknownFaultError, StateUnavailableError."""
        if name is not None and name not in self.faults:
            raise UnknownFaultError(name)

        removed: list[str] = []

        def remove(current: dict[str, SetFault]) -> None:
            removed[:] = [each for each in current if name in (None, each)]
            for each in removed:
                del current[each]

        self._change(remove)
        for each in removed:
            self._log.info(CLEARED, fault=each)
            self._count("cleared", each)

    def token_matches(self, given: str) -> bool:
        """Whether `given` is the token, compared in constant time."""
        return hmac.compare_digest(_digest(given), self._token_digest)

    def install(self, app: "FastAPI", metrics: "Metrics") -> None:
        """Add the /faults routes to `app`, fault_active and fault_changes_total to `metrics`, all from 0."""
        from faults.routes import routes  # noqa: PLC0415 - the hot path of a service must not load FastAPI

        app.include_router(routes(self))
        # Read when it is asked for, so that it falls to 0 at the expiry itself, traffic or not.
        gauge = metrics.gauge(
            "fault_active",
            "1 while the named fault is set by the fault switch",
            ("fault",),
            across_workers="latest",
        )
        self._changes = metrics.counter(
            "fault_changes_total", "Faults that were set or cleared by hand", ("fault", "action")
        )
        self._changes.preset(*((name, action) for name in self.faults for action in ACTIONS))

        def read() -> None:
            active = self.all_active()
            for name in self.faults:
                gauge.set(1 if name in active else 0, name)

        read()
        metrics.before_expose(read)

    def _change(self, edit: Callable[[dict[str, SetFault]], None]) -> None:
        self._file.change(edit)
        self._look_again_at = float("-inf")

    def _count(self, action: str, name: str) -> None:
        if self._changes is not None:
            self._changes.add(1, name, action)

    def _look(self) -> None:
        self._look_again_at = self._monotonic() + LOOK_EVERY_SECONDS
        signature = self._file.signature()
        if signature != self._signature:
            self._set = self._file.read() if signature else {}
            self._signature = signature


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
