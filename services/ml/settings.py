"""The service's settings, read from the environment once."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from telemetry.sentry import SentrySettings
from telemetry.settings import TelemetrySettings


@dataclass(frozen=True)
class MlSettings:
    """What the service needs to know; `faults` is what the fault switch reads: FAULTS_* and ENVIRONMENT."""

    telemetry: TelemetrySettings
    faults: Mapping[str, str] = field(default_factory=dict, repr=False)
    sentry: SentrySettings = field(default_factory=SentrySettings)


def from_environment(environ: Mapping[str, str]) -> MlSettings:
    """What telemetry reads; the model comes with the code."""
    return MlSettings(
        telemetry=TelemetrySettings.from_environment(environ, service="ml", system="shopfds"),
        sentry=SentrySettings.from_environment(environ, service="ml"),
        faults={key: environ[key] for key in environ if key.startswith("FAULTS_") or key == "ENVIRONMENT"},
    )
