"""What one module of tests does to the process does not reach the next; what needs servers is marked."""

import os
from collections.abc import Generator, Iterator, Sequence

import pytest
from hypothesis import HealthCheck, settings

from telemetry.clients import uninstrument_clients

SERVERS = frozenset(("postgres", "postgres_url", "redis", "redis_url"))
"""Fixtures that start PostgreSQL or Redis."""

# How long an example takes says something of the machine, which others use too, and nothing of the code.
settings.register_profile("firedrill", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("firedrill")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Keep Locust, when a module of tests imports it, from replacing this process's sockets and threads.

    A worker of pytest-xdist dies of that. Processes that tests start are as Locust wants them.
    """
    os.environ["LOCUST_SKIP_MONKEY_PATCH"] = "1"
    try:
        return (yield)
    finally:
        del os.environ["LOCUST_SKIP_MONKEY_PATCH"]


def pytest_collection_modifyitems(items: Sequence[pytest.Item]) -> None:
    """Mark the tests that start a server of their own: `make check` leaves them to `make test`."""
    for item in items:
        if isinstance(item, pytest.Function) and SERVERS & {*item.fixturenames}:
            item.add_marker("servers")


@pytest.fixture(autouse=True, scope="module")
def own_clients() -> Iterator[None]:
    """Clients send the trace context that a test gives them, not one of an application made before."""
    yield
    uninstrument_clients()
