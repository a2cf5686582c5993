"""docker-compose.yml on a real engine, unchanged; stand-ins have the official images' names, users, paths."""

import os
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.compose import events
from tests.compose.conditions import why_not
from tests.compose.containers import last_words
from tests.compose.engine import NoEngineError
from tests.compose.report import Report
from tests.compose.site import PARITY, ROOT, Site, site

HERE = Path(__file__).resolve().parent
UP_SECONDS = 900
COLD_SECONDS = 3600  # compiles components, makes Debian roots
LEADING = ("DOCKER_HOST", "DOCKER_CONFIG")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Everything in this folder needs an engine; where none can be had it says so.

    An earlier run's parity document goes first: the local runtime is compared with this run's or with none.
    """
    if not config.option.collectonly:
        PARITY.unlink(missing_ok=True)
    reason = why_not()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.timeout(COLD_SECONDS))
            if reason:
                item.add_marker(
                    pytest.mark.skip(reason=f"docker-compose.yml did not run on an engine: {reason}")
                )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With a failure comes what the containers said: by the time that somebody reads it they are gone."""
    report = yield
    here = getattr(item, "funcargs", {}).get("stack")
    if report.when == "call" and report.failed and isinstance(here, Site):
        report.sections.append(("last words of the containers", last_words(here.engine)))
    return report


@pytest.fixture(scope="session")
def report() -> Iterator[Report]:
    """What the run measured; written at its end."""
    found = Report()
    yield found
    found.write(ROOT / "reports")


@pytest.fixture(scope="session")
def stack(report: Report) -> Iterator[Site]:
    """The stack after `make up RUNTIME=docker` in a clean checkout."""
    before = {name: os.environ.get(name) for name in LEADING}
    with ExitStack() as cleaning:
        try:
            here = cleaning.enter_context(site())
        except NoEngineError as error:
            pytest.skip(f"docker-compose.yml did not run on an engine: {error}")
        # So that this process, too, asks the test's engine.
        os.environ.update({name: here.environ[name] for name in LEADING})
        try:
            here.must("setup", seconds=UP_SECONDS)
            with events.watched(here.engine) as times:
                begin = time.time()
                here.must("up", seconds=UP_SECONDS)
                report.parts = {**here.seconds, "make up": time.time() - begin}
            report.take_times(begin, times)
            yield here
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value
