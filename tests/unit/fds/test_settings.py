"""Settings from the environment."""

import pytest

from services.fds.settings import from_environment


def test_the_environment_is_read_once() -> None:
    """Names, defaults, and what the fault switch gets to see."""
    settings = from_environment(
        {"DATABASE_URL": "postgresql+asyncpg://u:secret@h/d", "SEED": "11", "FAULTS_TOKEN": "t", "HOME": "/"}
    )
    assert (settings.seed, settings.telemetry.service, settings.telemetry.system) == (11, "fds", "shopfds")
    assert settings.faults == {"FAULTS_TOKEN": "t"}
    assert "secret" not in repr(settings)


def test_a_seed_that_is_no_number_is_refused_with_advice() -> None:
    """What failed and where to correct it."""
    with pytest.raises(ValueError, match=r"SEED must be a whole number, not 'x': correct it in \.env"):
        from_environment({"SEED": "x"})


@pytest.mark.parametrize(
    ("value", "url"),
    [("", None), ("http://ml:8002", "http://ml:8002"), ("http://ml:8002/", "http://ml:8002")],
)
def test_the_model_server_is_optional(value: str, url: str | None) -> None:
    """Without its address the own copy of the model decides."""
    assert from_environment({"ML_URL": value}).ml_url == url


@pytest.mark.parametrize("value", ["ml:8002", "ftp://ml", "http://", "http://ml:port", "http://ml:99999"])
def test_an_address_of_no_server_is_refused_with_advice(value: str) -> None:
    """At the start, not at the first payment."""
    with pytest.raises(ValueError, match="ML_URL must look like http://ml:8002"):
        from_environment({"ML_URL": value})
