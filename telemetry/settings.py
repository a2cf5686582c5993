"""The telemetry settings of one service, read once from the environment and frozen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
DEFAULT_LOG_FILE_BYTES = 50 * 1024 * 1024

_OLD_ENDPOINTS = ("OTLP_ENDPOINT", "JAEGER_ENDPOINT")  # the first one that is set wins
_NO_EXPORT: Mapping[str, str] = MappingProxyType({"OTEL_TRACES_EXPORTER": "none"})


class SettingsError(ValueError):
    """A setting cannot be used; the text says which one, why, and what to write instead."""


@dataclass(frozen=True, kw_only=True)
class TelemetrySettings:
    """What telemetry needs to know. Built directly (as tests do), nothing is exported."""

    service: str = "unknown_service"
    system: str = "platform"
    environment: str = "development"
    version: str = "0.0.0"
    log_level: str = "INFO"
    log_file: Path | None = None
    log_file_max_bytes: int = DEFAULT_LOG_FILE_BYTES
    multiprocess_dir: Path | None = None
    masking: bool = True
    """False writes secrets to logs and traces: for the test that proves the search for them."""
    otel: Mapping[str, str] = field(default_factory=lambda: _NO_EXPORT)
    """Every OTEL_* variable, as the OpenTelemetry SDK documents them."""
    warnings: tuple[str, ...] = ()
    """What was accepted although it is old or odd; logged once at the start."""

    @classmethod
    def from_environment(
        cls, environ: Mapping[str, str], *, service: str = "unknown_service", system: str = "platform"
    ) -> TelemetrySettings:
        """Settings from variables; `service` and `system` stand in where these are silent.

        Raises SettingsError for a LOG_LEVEL, LOG_FILE_MAX_BYTES or TELEMETRY_MASKING that means nothing.
        """
        otel, warnings = _otel_variables(environ)
        environment = environ.get("ENVIRONMENT") or "development"
        level, level_warning = _log_level(environ, environment)
        log_file = environ.get("LOG_FILE")
        multiprocess = environ.get("PROMETHEUS_MULTIPROC_DIR")
        masking, masking_warning = _masking(environ)
        return cls(
            service=_service_name(otel) or service,
            system=environ.get("SYSTEM") or system,
            environment=environment,
            version=environ.get("APP_VERSION") or "0.0.0",
            log_level=level,
            log_file=Path(log_file) if log_file else None,
            log_file_max_bytes=_positive(environ, "LOG_FILE_MAX_BYTES", DEFAULT_LOG_FILE_BYTES),
            multiprocess_dir=Path(multiprocess) if multiprocess else None,
            masking=masking,
            otel=MappingProxyType(otel),
            warnings=tuple(warnings + level_warning + masking_warning),
        )


def from_environment(
    environ: Mapping[str, str], *, service: str = "unknown_service", system: str = "platform"
) -> TelemetrySettings:
    """The same as TelemetrySettings.from_environment."""
    return TelemetrySettings.from_environment(environ, service=service, system=system)


def _otel_variables(environ: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    otel = {name: value for name, value in environ.items() if name.startswith("OTEL_") and value}
    warnings = []
    for old in _OLD_ENDPOINTS:
        if not environ.get(old):
            continue
        warnings.append(f"{old} is an old name: set OTEL_EXPORTER_OTLP_ENDPOINT instead")
        otel.setdefault("OTEL_EXPORTER_OTLP_ENDPOINT", environ[old])
    return otel, warnings


def _service_name(otel: Mapping[str, str]) -> str | None:
    if name := otel.get("OTEL_SERVICE_NAME"):
        return name
    for pair in otel.get("OTEL_RESOURCE_ATTRIBUTES", "").split(","):
        key, _, value = pair.partition("=")
        if key.strip() == "service.name" and value.strip():
            return value.strip()
    return None


def _log_level(environ: Mapping[str, str], environment: str) -> tuple[str, list[str]]:
    level = (environ.get("LOG_LEVEL") or "INFO").strip().upper()
    level = {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(level, level)
    if level not in LEVELS:
        raise SettingsError(f"LOG_LEVEL={level!r} is no level: use one of {', '.join(LEVELS)}")
    if level == "DEBUG" and environment == "production":
        return "INFO", ["LOG_LEVEL=DEBUG is for development: INFO is used in production"]
    return level, []


def _masking(environ: Mapping[str, str]) -> tuple[bool, list[str]]:
    wish = (environ.get("TELEMETRY_MASKING") or "on").strip().lower()
    if wish not in ("on", "off"):
        raise SettingsError(f"TELEMETRY_MASKING={wish!r} means nothing: use on, or off in development")
    if wish == "on":
        return True, []
    if environ.get("ENVIRONMENT") != "development":  # by name: a forgotten variable is no permission
        return True, ["TELEMETRY_MASKING=off needs ENVIRONMENT=development: masking stays on"]
    return False, []


def _positive(environ: Mapping[str, str], name: str, default: int) -> int:
    text = environ.get(name)
    if not text:
        return default
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number <= 0:
        raise SettingsError(f"{name}={text!r} is no positive whole number: write bytes, such as {default}")
    return number
