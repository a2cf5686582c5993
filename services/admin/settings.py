"""The service's settings, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from limits.retention import Retention
from telemetry.sentry import SentrySettings
from telemetry.settings import TelemetrySettings


@dataclass(frozen=True)
class AdminSettings:
    """What the service needs to know; `faults` is what the fault switch reads: FAULTS_* and ENVIRONMENT."""

    telemetry: TelemetrySettings
    database_url: str = field(repr=False)
    fds_url: str
    seed: int = 7
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentry: SentrySettings = field(default_factory=SentrySettings)
    retention: Retention = field(default_factory=Retention)


def from_environment(environ: Mapping[str, str]) -> AdminSettings:
    """DATABASE_URL, FDS_URL, SEED and what telemetry and limits read.

    Raises ValueError for what cannot be used.
    """
    seed = environ.get("SEED") or "7"
    try:
        number = int(seed)
    except ValueError:
        raise ValueError(f"SEED must be a whole number, not {seed!r}: correct it in .env") from None
    return AdminSettings(
        telemetry=TelemetrySettings.from_environment(environ, service="admin", system="shopfds"),
        database_url=environ.get("DATABASE_URL") or "postgresql+asyncpg://firedrill@localhost:5432/admin",
        fds_url=_address(environ.get("FDS_URL") or "http://localhost:8001"),
        seed=number,
        sentry=SentrySettings.from_environment(environ, service="admin"),
        retention=Retention.from_environment(environ),
        faults={key: environ[key] for key in environ if key.startswith("FAULTS_") or key == "ENVIRONMENT"},
    )


def _address(url: str) -> str:
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        fit = False
    if not fit:
        raise ValueError(f"FDS_URL must look like http://fds:8001, not {url!r}: correct it")
    return url.rstrip("/")
