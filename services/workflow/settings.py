"""What workflow is told by its environment, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from limits.retention import Retention
from telemetry.settings import TelemetrySettings

FAULT_NAMES = ("FAULTS_ENABLED", "FAULTS_TOKEN", "FAULTS_DIR", "ENVIRONMENT")


class SettingsError(ValueError):
    """A setting cannot be used; the text names it and says what to do."""


@dataclass(frozen=True)
class Settings:
    """All settings; durations in seconds. `faults` goes to the fault switch as it is, token included."""

    telemetry: TelemetrySettings
    database_url: str = field(repr=False)
    judgment_url: str
    seed: int = 7
    max_running: int = 32
    max_queued: int = 500
    lease_seconds: float = 10.0
    judge_timeout_seconds: float = 5.0
    call_timeout_seconds: float = 3.0
    database_timeout_seconds: float = 2.0
    breaker_cooldown_seconds: float = 10.0
    retention: Retention = field(default_factory=Retention)
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read `environ`; raises SettingsError."""

        def number(name: str, default: float, minimum: float) -> float:
            return _number(environ, name, default, minimum=minimum)

        return cls(
            telemetry=TelemetrySettings.from_environment(environ),
            database_url=_required(
                environ, "DATABASE_URL", ("postgresql+asyncpg",), "user:password@host:5432/name"
            ),
            judgment_url=_required(environ, "JUDGMENT_URL", ("http", "https"), "judgment:8010").rstrip("/"),
            seed=int(number("SEED", 7, 0)),
            max_running=int(number("MAX_RUNNING", 32, 1)),
            max_queued=int(number("MAX_QUEUED", 500, 1)),
            lease_seconds=number("LEASE_SECONDS", 10.0, 1.0),
            judge_timeout_seconds=number("JUDGE_TIMEOUT_SECONDS", 5.0, 0.1),
            call_timeout_seconds=number("CALL_TIMEOUT_SECONDS", 3.0, 0.1),
            database_timeout_seconds=number("DATABASE_TIMEOUT_SECONDS", 2.0, 0.1),
            breaker_cooldown_seconds=number("BREAKER_COOLDOWN_SECONDS", 10.0, 0.1),
            retention=Retention.from_environment(environ),
            faults={name: environ[name] for name in FAULT_NAMES if name in environ},
        )


def _required(environ: Mapping[str, str], name: str, schemes: tuple[str, ...], rest: str) -> str:
    value = environ.get(name, "").strip()
    scheme, found, after = value.partition("://")
    if scheme not in schemes or not found or not after:
        form = f"{schemes[0]}://{rest}"
        raise SettingsError(f"{name} is missing or not of the form {form}; set it in the environment")
    return value


def _number(environ: Mapping[str, str], name: str, default: float, *, minimum: float) -> float:
    raw = environ.get(name, "").strip() or str(default)
    try:
        value = float(raw)
    except ValueError:
        value = float("nan")
    if not minimum <= value <= 1e9:
        raise SettingsError(f"{name} is {raw!r}; set it to a number from {minimum:g} on, or leave it out")
    return value
