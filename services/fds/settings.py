"""The service's settings, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from limits.gate import RequestLimits
from limits.retention import Retention
from telemetry.sentry import SentrySettings
from telemetry.settings import TelemetrySettings

REQUESTS: Final = RequestLimits(running=16, waiting=32, wait_seconds=0.2)
"""An evaluation takes some 20 ms, most of them waiting: sixteen at once keep a core busy. More would only
make all of them late; see docs/decisions/0009."""


@dataclass(frozen=True)
class FdsSettings:
    """What the service needs to know; `faults` is what the fault switch reads: FAULTS_* and ENVIRONMENT.

    Without `ml_url`, the model server's address, the service decides by its own copy of the model.
    """

    telemetry: TelemetrySettings
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    ml_url: str | None = None
    seed: int = 7
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentry: SentrySettings = field(default_factory=SentrySettings)
    requests: RequestLimits = REQUESTS
    retention: Retention = field(default_factory=Retention)


def from_environment(environ: Mapping[str, str]) -> FdsSettings:
    """DATABASE_URL, REDIS_URL, ML_URL, SEED and what telemetry and limits read.

    Raises ValueError for what cannot be used.
    """
    seed = environ.get("SEED") or "7"
    try:
        number = int(seed)
    except ValueError:
        raise ValueError(f"SEED must be a whole number, not {seed!r}: correct it in .env") from None
    return FdsSettings(
        telemetry=TelemetrySettings.from_environment(environ, service="fds", system="shopfds"),
        database_url=environ.get("DATABASE_URL") or "postgresql+asyncpg://firedrill@localhost:5432/fds",
        redis_url=environ.get("REDIS_URL") or "redis://localhost:6379/1",
        ml_url=_address(environ.get("ML_URL") or ""),
        seed=number,
        sentry=SentrySettings.from_environment(environ, service="fds"),
        requests=REQUESTS.of(environ),
        retention=Retention.from_environment(environ),
        faults={key: environ[key] for key in environ if key.startswith("FAULTS_") or key == "ENVIRONMENT"},
    )


def _address(url: str) -> str | None:
    if not url:
        return None
    try:
        parts = urlsplit(url)
        fit = parts.scheme in ("http", "https") and parts.hostname is not None and parts.port != 0
    except ValueError:
        fit = False
    if not fit:
        raise ValueError(f"ML_URL must look like http://ml:8002, not {url!r}: correct or remove it")
    return url.rstrip("/")
