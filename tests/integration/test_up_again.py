"""A second `up` follows the running stack and changes nothing."""

import time
from typing import Any

from firedrill.local.layout import Layout
from firedrill.local.records import read_state


def identities(stack: Any) -> dict[str, tuple[int | None, int]]:
    """Each service's process id and restarts, and the supervisor's id."""
    state = read_state(Layout(stack.view().state_folder).state_file)
    assert state is not None
    return {
        "supervisor": (state.supervisor_pid, 0),
        **{name: (one.pid, one.restarts) for name, one in state.services.items()},
    }


def test_second_up_changes_nothing(stack: Any) -> None:
    """The same processes, in seconds, with the URLs once more."""
    before, begin = identities(stack), time.monotonic()
    output = stack.must("up")
    assert time.monotonic() - begin < 20
    assert identities(stack) == before
    assert "127.0.0.1" in output


def test_status_shows_every_service(stack: Any) -> None:
    """All of them by name, and exit code 0 while nothing is wrong."""
    output = stack.must("status")
    for name in stack.view().started:
        assert name in output


def test_up_prints_only_urls_that_answer(stack: Any) -> None:
    """What `up` shows to a person is a page."""
    output = stack.must("up")
    urls = {word.rstrip(".,)") for word in output.split() if word.startswith("http://127.0.0.1")}
    assert urls
    for url in urls:
        answer = stack.http.get(url, follow_redirects=True)
        assert answer.status_code == 200, url
        assert "text/html" in answer.headers["content-type"], url
