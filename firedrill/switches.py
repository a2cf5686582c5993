"""Services that settings choose between: which do not run, which profiles are on."""

from collections.abc import Mapping

PROMTAIL, LOG_COLLECTOR = "promtail", "log-collector"
OPT_IN = "opt-in"
"""The folder in targets/ for services behind a profile: a plain `docker compose up` must not miss them."""


def log_shipper(settings: Mapping[str, str]) -> str:
    """The service that reads the log files."""
    return LOG_COLLECTOR if settings.get("LOGS") == "collector" else PROMTAIL


def replaced(settings: Mapping[str, str]) -> dict[str, str]:
    """Services whose place another one takes, each with its reason."""
    if log_shipper(settings) == LOG_COLLECTOR:
        return {PROMTAIL: f"LOGS=collector: {LOG_COLLECTOR} stands in its place"}
    return {LOG_COLLECTOR: "starts with LOGS=collector, in Promtail's place"}


def active_profiles(settings: Mapping[str, str]) -> frozenset[str]:
    """The profiles of docker-compose.yml that the settings ask for."""
    asked = {name.strip() for name in settings.get("COMPOSE_PROFILES", "").split(",")} - {"", LOG_COLLECTOR}
    return frozenset(asked | ({LOG_COLLECTOR} if log_shipper(settings) == LOG_COLLECTOR else set()))
