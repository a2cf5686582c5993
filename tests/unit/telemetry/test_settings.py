"""Settings: what the environment means, and what importing does not do."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

from telemetry.settings import SettingsError, TelemetrySettings, from_environment


def test_the_environment_is_read_into_frozen_settings() -> None:
    """Every documented name."""
    settings = from_environment(
        {
            "OTEL_SERVICE_NAME": "judgment",
            "SYSTEM": "ai-factory",
            "ENVIRONMENT": "production",
            "APP_VERSION": "1.0",
            "LOG_LEVEL": "warn",
            "LOG_FILE": "/tmp/x.log",
            "LOG_FILE_MAX_BYTES": "1000",
            "OTEL_TRACES_SAMPLER": "always_on",
            "PROMETHEUS_MULTIPROC_DIR": "/tmp/m",
        }
    )
    assert (settings.service, settings.system, settings.environment, settings.version) == (
        "judgment",
        "ai-factory",
        "production",
        "1.0",
    )
    assert (settings.log_level, settings.log_file, settings.log_file_max_bytes) == (
        "WARNING",
        Path("/tmp/x.log"),
        1000,
    )
    assert settings.multiprocess_dir == Path("/tmp/m")
    assert settings.otel["OTEL_TRACES_SAMPLER"] == "always_on"
    with pytest.raises(dataclasses.FrozenInstanceError):
        settings.service = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.otel["OTEL_TRACES_SAMPLER"] = "x"  # type: ignore[index]


def test_a_service_may_bring_its_own_name() -> None:
    """The environment wins, by its name or its resource attributes."""
    assert from_environment({}, service="fds").service == "fds"
    assert from_environment({"OTEL_RESOURCE_ATTRIBUTES": "a=b,service.name=x"}, service="fds").service == "x"
    assert (
        from_environment({"OTEL_SERVICE_NAME": "y", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x"}).service
        == "y"
    )


@pytest.mark.parametrize("name", ["JAEGER_ENDPOINT", "OTLP_ENDPOINT"])
def test_old_endpoint_names_are_accepted_with_a_warning(name: str) -> None:
    """The new name wins when both are set."""
    settings = from_environment({name: "http://old:4318"})
    assert settings.otel["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://old:4318"
    assert name in settings.warnings[0]
    both = from_environment({name: "http://old:4318", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://new:4318"})
    assert both.otel["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://new:4318"


def test_debug_is_for_development() -> None:
    """In production it is lowered to INFO, with a remark."""
    assert from_environment({"LOG_LEVEL": "debug"}).log_level == "DEBUG"
    production = from_environment({"LOG_LEVEL": "debug", "ENVIRONMENT": "production"})
    assert (production.log_level, len(production.warnings)) == ("INFO", 1)


@pytest.mark.parametrize(
    ("name", "value"), [("LOG_LEVEL", "LOUD"), ("LOG_FILE_MAX_BYTES", "0"), ("LOG_FILE_MAX_BYTES", "1G")]
)
def test_values_that_mean_nothing_are_refused_by_name(name: str, value: str) -> None:
    """The message says what to write instead."""
    with pytest.raises(SettingsError, match=name):
        from_environment({name: value})


def test_settings_made_by_hand_export_nothing() -> None:
    """Tests of services should not look for a collector."""
    assert TelemetrySettings().otel == {"OTEL_TRACES_EXPORTER": "none"}


IMPORT = """
import logging, os, pkgutil, sys, threading
before = dict(os.environ), threading.active_count(), list(logging.getLogger().handlers)
import telemetry
for module in pkgutil.iter_modules(telemetry.__path__, "telemetry."):
    __import__(module.name)
from opentelemetry import trace
assert (dict(os.environ), threading.active_count(), list(logging.getLogger().handlers)) == before
assert type(trace.get_tracer_provider()).__name__ == "ProxyTracerProvider"
for name in list(sys.modules):
    assert not name.startswith("services"), name
"""


def test_importing_any_module_does_nothing() -> None:
    """No thread, no provider, no handler, no environment."""
    subprocess.run([sys.executable, "-c", IMPORT], check=True, timeout=60)


@pytest.mark.parametrize(
    ("environ", "masking"),
    [
        ({}, True),
        ({"TELEMETRY_MASKING": "off", "ENVIRONMENT": "development"}, False),
        ({"TELEMETRY_MASKING": "on", "ENVIRONMENT": "development"}, True),
        ({"TELEMETRY_MASKING": "off", "ENVIRONMENT": "production"}, True),
        ({"TELEMETRY_MASKING": "off"}, True),
    ],
)
def test_masking_goes_off_in_development_alone(environ: dict[str, str], masking: bool) -> None:
    """The environment has to be named; where it is another one, masking stays on and says so."""
    settings = from_environment(environ)
    assert settings.masking is masking
    assert bool(settings.warnings) is (masking and environ.get("TELEMETRY_MASKING") == "off")


def test_a_masking_that_means_nothing_is_refused() -> None:
    """A spelling mistake must not decide about secrets."""
    with pytest.raises(SettingsError, match="TELEMETRY_MASKING"):
        from_environment({"TELEMETRY_MASKING": "no"})
