"""Settings from the environment."""

import pytest

from services.ecommerce.settings import from_environment


def test_the_environment_is_read_once() -> None:
    """Names, defaults, and what the fault switch gets to see."""
    settings = from_environment(
        {"DATABASE_URL": "postgresql+asyncpg://u:secret@h/d", "SEED": "11", "FAULTS_TOKEN": "t", "HOME": "/",
         "FDS_URL": "http://fds:8001/", "ORDER_STEP_SECONDS": "0.5"}
    )  # fmt: skip
    assert (settings.seed, settings.telemetry.service, settings.telemetry.system) == (
        11,
        "ecommerce",
        "shopfds",
    )
    assert (settings.fds_url, settings.order_step_seconds) == ("http://fds:8001", 0.5)
    assert (settings.fds_timeout_seconds, settings.fallback_limit_krw) == (0.4, 100_000)
    assert settings.faults == {"FAULTS_TOKEN": "t"}
    assert "secret" not in repr(settings)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("SEED", "x"), ("ORDER_STEP_SECONDS", "0"), ("FDS_TIMEOUT_SECONDS", "60"),
        ("CACHE_TTL_SECONDS", "nan"), ("FDS_FALLBACK_LIMIT_KRW", "-1"), ("FDS_URL", "fds:8001"), ("FDS_URL", "http://fds:99999"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused_with_advice(name: str, value: str) -> None:
    """At the start, not at the first payment: what is wrong, and what to do."""
    with pytest.raises(ValueError, match=rf"{name} must .*: correct"):
        from_environment({name: value})
