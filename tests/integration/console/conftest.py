"""Chromium, the console of the running stack, and a console between stand-ins of the backends."""

import os
from collections.abc import Iterator
from contextlib import suppress

import pytest

from firedrill.errors import FiredrillError
from firedrill.local import packages
from firedrill.local.system import Package
from firedrill.screenshots.chromium import NAMES, Connection, find, running
from tests.integration.conftest import LiveStack
from tests.integration.console import desk as desks
from tests.integration.console.browser import ConsoleUnderTest, Open, pages
from tests.integration.console.desk import Desk

CHROMIUM = Package("Chromium", "chromium", "chromium")


@pytest.fixture(scope="session")
def chromium() -> Iterator[Connection]:
    """A real Chromium, installed where it can be; without one, a browser test says that it did not run."""
    if find() is None and packages.can_install():
        with suppress(FiredrillError):  # the skip below says it
            packages.install([CHROMIUM], print)
    if find() is None:
        pytest.skip(f"did not run: none of {', '.join(NAMES)} is on PATH; apt-get install chromium")
    with running() as connection:
        yield connection


@pytest.fixture(scope="session")
def console(stack: LiveStack) -> ConsoleUnderTest:
    """The stack's console; CONSOLE_URL names another that shows the same stack."""
    view = stack.view()
    address = os.environ.get("CONSOLE_URL", "").rstrip("/") or view.url("console")
    return ConsoleUnderTest(address, view.settings["FAULTS_TOKEN"])


@pytest.fixture
def open_page(chromium: Connection, console: ConsoleUnderTest) -> Iterator[Open]:
    """Opens pages of the running stack's console."""
    with pages(chromium, console) as opening:
        yield opening


@pytest.fixture(scope="session")
def shared_desk() -> Iterator[Desk]:
    """A console between stand-ins, which needs no stack."""
    with desks.desk() as made:
        yield made


@pytest.fixture
def desk(shared_desk: Desk) -> Iterator[Desk]:
    """The same as new for each test: every backend answers and holds what it held at first."""
    for one in shared_desk.backends.values():
        one.reset()
    yield shared_desk
    for one in shared_desk.backends.values():
        one.reset()


@pytest.fixture
def open_desk(chromium: Connection, desk: Desk) -> Iterator[Open]:
    """Opens pages of the console between stand-ins."""
    with pages(chromium, desk.console) as opening:
        yield opening
