"""The service's settings, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telemetry.settings import TelemetrySettings


@dataclass(frozen=True)
class FdsSettings:
    """What the service needs to know; `faults` is what the fault switch reads: FAULTS_* and ENVIRONMENT."""

    telemetry: TelemetrySettings
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    seed: int = 7
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)


def from_environment(environ: Mapping[str, str]) -> FdsSettings:
    """DATABASE_URL, REDIS_URL, SEED and what telemetry reads; ValueError for a SEED that is no number."""
    seed = environ.get("SEED") or "7"
    try:
        number = int(seed)
    except ValueError:
        raise ValueError(f"SEED must be a whole number, not {seed!r}: correct it in .env") from None
    return FdsSettings(
        telemetry=TelemetrySettings.from_environment(environ, service="fds", system="shopfds"),
        database_url=environ.get("DATABASE_URL") or "postgresql+asyncpg://firedrill@localhost:5432/fds",
        redis_url=environ.get("REDIS_URL") or "redis://localhost:6379/1",
        seed=number,
        faults={key: environ[key] for key in environ if key.startswith("FAULTS_") or key == "ENVIRONMENT"},
    )
