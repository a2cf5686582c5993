"""Chromium, the console of the running stack, and a console between stand-ins of the backends."""

from collections.abc import Iterator

import pytest

from firedrill.screenshots.chromium import NAMES, Connection, find, running
from tests.integration.conftest import LiveStack
from tests.integration.console import desk as desks
from tests.integration.console.browser import ConsoleUnderTest, Open, pages
from tests.integration.console.desk import Desk


@pytest.fixture(scope="session")
def chromium() -> Iterator[Connection]:
    """A real Chromium; without one, a browser test says that it did not run."""
    if find() is None:
        pytest.skip(f"did not run: none of {', '.join(NAMES)} is on PATH; apt-get install chromium")
    with running() as connection:
        yield connection


@pytest.fixture(scope="session")
def console(stack: LiveStack) -> ConsoleUnderTest:
    """The console of the running stack."""
    return ConsoleUnderTest(stack.view().url("console"), stack.environ["FAULTS_TOKEN"])


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
