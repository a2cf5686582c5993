"""What one module of tests does to the process does not reach the next."""

from collections.abc import Iterator

import pytest

from telemetry.clients import uninstrument_clients


@pytest.fixture(autouse=True, scope="module")
def own_clients() -> Iterator[None]:
    """Clients send the trace context that a test gives them, not one of an application made before."""
    yield
    uninstrument_clients()
