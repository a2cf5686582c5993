"""What the shop is told by its environment, read once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from limits.gate import RequestLimits
from limits.retention import Retention
from limits.values import number
from telemetry.sentry import SentrySettings
from telemetry.settings import TelemetrySettings

REQUESTS: Final = RequestLimits(running=32, waiting=64, wait_seconds=0.4)
"""Log-ins and payments wait for others much of their time; see docs/decisions/0009."""


@dataclass(frozen=True)
class EcommerceSettings:
    """All settings. `faults` is what the fault switch reads: FAULTS_* and ENVIRONMENT.

    `order_step_seconds` is how long an order stays in each state; `fds_timeout_seconds` how long a payment
    waits for fds; up to `fallback_limit_krw` a payment is taken while fds is away, above it waits.
    """

    telemetry: TelemetrySettings
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    fds_url: str
    seed: int = 7
    order_step_seconds: float = 5.0
    fds_timeout_seconds: float = 0.4
    fallback_limit_krw: int = 100_000
    cache_ttl_seconds: int = 900
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentry: SentrySettings = field(default_factory=SentrySettings)
    requests: RequestLimits = REQUESTS
    retention: Retention = field(default_factory=Retention)


def from_environment(environ: Mapping[str, str]) -> EcommerceSettings:
    """Read `environ`; ValueError, with what to do, for what cannot be used."""
    return EcommerceSettings(
        telemetry=TelemetrySettings.from_environment(environ, service="ecommerce", system="shopfds"),
        database_url=environ.get("DATABASE_URL") or "postgresql+asyncpg://firedrill@localhost:5432/ecommerce",
        redis_url=environ.get("REDIS_URL") or "redis://localhost:6379/2",
        fds_url=_address(environ.get("FDS_URL") or "http://localhost:8001"),
        seed=int(number(environ, "SEED", 7, low=-(2**31), high=2**31)),
        order_step_seconds=number(environ, "ORDER_STEP_SECONDS", 5.0, low=0.1, high=86_400),
        fds_timeout_seconds=number(environ, "FDS_TIMEOUT_SECONDS", 0.4, low=0.01, high=10),
        fallback_limit_krw=int(number(environ, "FDS_FALLBACK_LIMIT_KRW", 100_000, low=0, high=10**10)),
        cache_ttl_seconds=int(number(environ, "CACHE_TTL_SECONDS", 900, low=1, high=86_400)),
        sentry=SentrySettings.from_environment(environ, service="ecommerce"),
        requests=REQUESTS.of(environ),
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
        raise ValueError(f"FDS_URL must look like http://fds:8001, not {url!r}: correct or remove it")
    return url.rstrip("/")
