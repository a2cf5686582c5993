"""The command: real generator, small services of this test, and the errors that a user can act on."""

import io
import json
import os
import signal
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from firedrill.errors import EnvironmentProblem, UsageError
from firedrill.load.command import INTERRUPTED, Asked, run
from firedrill.load.generator import refusal

PROJECT = Path(__file__).parents[3]


class Service(ThreadingHTTPServer):
    """Stands in for fds and for Prometheus; counts what it was asked, answers payments with `status`."""

    daemon_threads = True

    def __init__(self, status: int = 200) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.status = status
        self.payments = 0
        self.begun = threading.Event()

    @property
    def address(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """Answers."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        """Prometheus: nothing is known, one scrape configuration."""
        config = {"yaml": "global: {scrape_interval: 1s}", "activeTargets": []}
        self._answer(200, {"data": {"resultType": "vector", "result": [], **config}})

    def do_POST(self) -> None:
        """fds: refuses nonsense, and otherwise does as it is told."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.payments += 1
        if self.server.payments > 10:
            self.server.begun.set()
        nonsense = "transaction_id" in body and str(body["transaction_id"]).startswith(("invalid", "never"))
        missing = "user_id" not in body and "label" not in body
        refused = 404 if body.get("transaction_id") == "never-evaluated" and body["label"] == "fraud" else 422
        self._answer(refused if nonsense or missing else self.server.status, {})

    def _answer(self, status: int, document: object) -> None:
        text = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    """A service that listens."""
    made = Service()
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield made
    made.shutdown()
    made.server_close()


class Stack:
    """A running stack of which all services are one."""

    def __init__(self, address: str, started: frozenset[str] = frozenset({"fds"})) -> None:
        self.address, self.started, self.pace = address, started, "demo"

    def url(self, service: str, container_port: int | None = None) -> str:
        """The same for all."""
        return self.address


def load(stack: Stack, asked: Asked, reports: Path) -> tuple[int, str]:
    """Exit code and screen of a run."""
    screen = io.StringIO()
    code = run(stack, asked, project=PROJECT, reports=reports, stream=screen)
    return code, screen.getvalue()


def test_a_clean_run(service: Service, tmp_path: Path) -> None:
    """Five seconds at twenty a second: the rate is achieved, refusals are no failures, reports are kept."""
    code, screen = load(Stack(service.address), Asked("steady", 5, 20), tmp_path)
    assert code == 0, screen
    assert 90 <= service.payments <= 101
    assert "failures 0" in screen
    assert "asked 20.0/s" in screen
    (folder,) = tmp_path.iterdir()
    assert folder.name.endswith("-steady")
    assert {path.name for path in folder.iterdir()} == {
        "failures.csv", "history.csv", "report.html", "requests.csv", "summary.json", "summary.md",
    }  # fmt: skip
    assert len((folder / "history.csv").read_text().splitlines()) >= 5


def test_failures_make_exit_code_1(service: Service, tmp_path: Path) -> None:
    """An answer that was not meant to come fails the run, and is named."""
    service.status = 500
    code, screen = load(Stack(service.address), Asked("steady", 5, 10), tmp_path)
    assert code == 1
    assert "failed: fds evaluate: HTTP 500" in screen


def test_nothing_listens(tmp_path: Path) -> None:
    """Refused connections are failures; a silent Prometheus is a note, not the end of the summary."""
    code, screen = load(Stack("http://127.0.0.1:9"), Asked("steady", 5, 5), tmp_path)
    assert code == 1
    assert "ConnectionRefusedError" in screen
    assert "note: Prometheus does not answer" in screen


def test_ctrl_c_ends_the_run_with_its_summary(service: Service, tmp_path: Path) -> None:
    """The first Ctrl-C stops the users and still gives the figures."""

    def interrupt() -> None:
        assert service.begun.wait(30)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)  # ignored where the tests themselves run in the background
    threading.Thread(target=interrupt, daemon=True).start()
    code, screen = load(Stack(service.address), Asked("soak", 600, 20), tmp_path)
    assert code == INTERRUPTED
    assert "intended declines" in screen
    assert signal.getsignal(signal.SIGINT) is before


def test_the_page_listens_on_loopback_and_goes(service: Service, tmp_path: Path) -> None:
    """With the page the run is bounded all the same, and after its summary a signal ends the page."""
    port = _free_port()
    seen: list[str] = []

    def look() -> None:
        assert service.begun.wait(30)
        with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
            line.sendall(b"GET / HTTP/1.0\r\n\r\n")
            seen.append(line.recv(200).decode())

    class Screen(io.StringIO):
        def write(self, text: str) -> int:
            if "Locust's page stays" in text:
                os.kill(os.getpid(), signal.SIGTERM)
            return super().write(text)

    threading.Thread(target=look, daemon=True).start()
    screen = Screen()
    asked = Asked("steady", 5, 20, ui_port=port)
    code = run(Stack(service.address), asked, project=PROJECT, reports=tmp_path, stream=screen)
    assert code == 0, screen.getvalue()
    assert "200" in seen[0]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (Asked("tsunami"), "one of: steady"),
        (Asked("steady", seconds=1), "use 5 to 43200"),
        (Asked("steady", rate=1e9), "use 1 to 2000"),
    ],
)
def test_wrong_words_are_refused(asked: Asked, reason: str, tmp_path: Path) -> None:
    """An unknown shape and a bad number: what, why, what to do; nothing is sent and nothing is kept."""
    with pytest.raises(UsageError) as refused:
        load(Stack("http://127.0.0.1:9"), asked, tmp_path)
    assert reason in refused.value.todo
    assert refused.value.why
    assert not list(tmp_path.iterdir())


def test_a_taken_port_is_refused(tmp_path: Path) -> None:
    """Somebody else on the page's port is told before anything is sent."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(UsageError, match="page cannot be shown") as refused:
            load(Stack("http://127.0.0.1:9"), Asked("steady", ui_port=port), tmp_path)
    assert str(port) in refused.value.why


def test_a_stack_without_services_is_refused(tmp_path: Path) -> None:
    """Nothing to send to is an error, not an empty run."""
    with pytest.raises(EnvironmentProblem, match="nothing to send load to"):
        load(Stack("http://127.0.0.1:9", frozenset({"loki"})), Asked("steady"), tmp_path)


def test_foreign_hosts_are_refused(tmp_path: Path) -> None:
    """The generator's guard holds for load too."""
    with pytest.raises(UsageError, match="load is sent only to this stack"):
        load(Stack("http://192.0.2.1:80"), Asked("steady"), tmp_path)


def test_refusal_keeps_the_three_lines() -> None:
    """The generator's text becomes what, why and what to do."""
    error = refusal("no\n  why: it: is so\n  do:  that")
    assert (error.what, error.why, error.todo) == ("no", "it: is so", "that")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
