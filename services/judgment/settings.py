"""What judgment is told by its environment, read once."""

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
    redis_url: str = field(repr=False)
    seed: int = 7
    cache_ttl_seconds: int = 300
    llm_timeout_seconds: float = 4.0
    database_timeout_seconds: float = 1.0
    cache_timeout_seconds: float = 0.2
    retention: Retention = field(default_factory=Retention)
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """Read `environ`; raises SettingsError."""
        return cls(
            telemetry=TelemetrySettings.from_environment(environ),
            database_url=_required(
                environ, "DATABASE_URL", "postgresql+asyncpg://user:password@host:5432/name"
            ),
            redis_url=_required(environ, "REDIS_URL", "redis://host:6379/0"),
            seed=int(_number(environ, "SEED", 7, minimum=0)),
            cache_ttl_seconds=int(_number(environ, "CACHE_TTL_SECONDS", 300, minimum=1)),
            llm_timeout_seconds=_number(environ, "LLM_TIMEOUT_SECONDS", 4.0, minimum=0.1),
            database_timeout_seconds=_number(environ, "DATABASE_TIMEOUT_SECONDS", 1.0, minimum=0.1),
            cache_timeout_seconds=_number(environ, "CACHE_TIMEOUT_SECONDS", 0.2, minimum=0.01),
            retention=Retention.from_environment(environ),
            faults={name: environ[name] for name in FAULT_NAMES if name in environ},
        )


def _required(environ: Mapping[str, str], name: str, example: str) -> str:
    value = environ.get(name, "").strip()
    scheme = example.partition("://")[0]
    if not value.startswith(f"{scheme}://"):
        raise SettingsError(f"{name} is missing or not of the form {example}; set it in the environment")
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
