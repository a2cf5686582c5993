"""Planted secrets: with the masker on none is found anywhere; with it off all are, by the same search."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firedrill.stack import ServiceState
from firedrill.verify.canaries import Canaries, Target
from firedrill.verify.check import Missing, Seen
from firedrill.verify.declared import SECRETS, CanaryWish, Request, load_plans
from firedrill.verify.places import (
    Places,
    checks_of,
    inbox_texts,
    jaeger_texts,
    loki_texts,
    refusal_texts,
)
from firedrill.verify.plan import make_canaries, make_places
from firedrill.verify.planted import kinds_in
from firedrill.verify.run import Progress, Runner
from firedrill.wait import poll_until

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
# Beside the session's stack and a user's own, and below the range of outgoing connections.
PORT_OFFSET = "5300"
UP_SECONDS = 600
SECONDS = 60
# The one service that writes what it gets into the texts of its errors, and those into Sentry events.
FAILING = CanaryWish(
    channel="error",
    request=Request("POST", "/fail", '{"text": "{canary}"}'),
    each=False,
    secrets=SECRETS,
    reaches=("logs", "traces", "inbox"),
)


@dataclass(frozen=True)
class Scene:
    """A throw-away stack with Sentry events going to its inbox, and the failing service attached to it."""

    view: Any
    http: Any
    failing: str

    def begin(self) -> tuple[Canaries, Places]:
        """Canaries for every service of the stack and the failing one, and where to search for them."""
        known = make_canaries(self.view, load_plans(ROOT), http=self.http)
        targets = [*known.targets, Target("failing", self.failing, (FAILING,))]
        return Canaries(targets, http=self.http), make_places(self.view, http=self.http)


@contextmanager
def throw_away(stack: Any, *, masking: str) -> Iterator[Scene]:
    """A stack of its own with the masker on or off; it and its data are gone at the end."""
    folder = Path(tempfile.mkdtemp(prefix="firedrill-canaries-"))
    folder.chmod(0o755)
    own = {
        "FIREDRILL_STATE": str(folder / "state"),
        "PORT_OFFSET": PORT_OFFSET,
        "TRACES": "jaeger",
        "TRAFFIC": "off",
        "ENVIRONMENT": "development",
        "TELEMETRY_MASKING": masking,
        "SENTRY_DSN": f"http://{secrets.token_hex(16)}@inbox:8090/sentry/1",
    }
    live = type(stack)(folder, {**stack.environ, **own}, stack.http)
    try:
        live.must("up", seconds=UP_SECONDS)
        with failing_service(live, masking) as url:
            yield Scene(live.view(), live.http, url)
    finally:
        live.command("down", seconds=180)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def failing_service(live: Any, masking: str) -> Iterator[str]:
    """own_service/failing.py, its lines where the stack's Promtail reads them; gives its address."""
    view = live.view()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    inbox = view.url("inbox").removeprefix("http://")
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "ENVIRONMENT": "development",
        "TELEMETRY_MASKING": masking,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_OTLP_ENDPOINT": view.url("collector", 4318),
        "SENTRY_DSN": f"http://{secrets.token_hex(16)}@{inbox}/sentry/1",
    }
    words = ["uvicorn", "--factory", "failing:create_app", "--app-dir", str(HERE / "own_service")]
    with (view.state_folder / "own/logs/failing.log").open("wb") as log:
        os.fchmod(log.fileno(), 0o644)
        running = subprocess.Popen(
            [sys.executable, "-m", *words, "--port", str(port), "--no-access-log"],
            env=environ,
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        poll_until(lambda: live.http.get(f"{url}/health/live").is_success, "the failing service", 30)
        yield url
    finally:
        running.terminate()
        running.wait(30)


def test_with_the_masker_on_nothing_is_found(stack: Any) -> None:
    """In no place, while the markers beside the secrets are found in each that is written to."""
    with throw_away(stack, masking="on") as scene:
        canaries, places = scene.begin()
        checks = checks_of(canaries, places, http=scene.http)
        here = {"failing": ServiceState("failing", "ready")}
        runner = Runner(lambda: {**scene.view.state(), **here}, deadline_seconds=SECONDS)
        outcomes = runner.run(checks, Progress(checks))
    assert [one for one in outcomes if one.result == "failed"] == []
    told = {one.check: one.detail for one in outcomes}
    assert told.keys() >= {
        "canaries: sent", "canaries: loki", "canaries: log files", "canaries: jaeger", "canaries: inbox",
        "canaries: error answers", "canaries: metrics",
    }  # fmt: skip
    # Every place but the metrics, which these requests do not reach, proves that it was read.
    silent = {check for check, text in told.items() if "markers found" not in text}
    assert silent == {"canaries: sent", "canaries: metrics"}
    services = {one.service for one in canaries.sent}
    assert services >= {"judgment", "fds", "inbox", "failing"}
    assert {one.channel for one in canaries.sent} == {"path", "query", "header", "body", "error"}


def test_with_the_masker_off_everything_is_found(stack: Any) -> None:
    """All six kinds, in Loki, the log files, the traces, the inbox and the answers."""
    with throw_away(stack, masking="off") as scene:
        canaries, places = scene.begin()
        sent = canaries.attempt()
        assert isinstance(sent, Seen), sent
        loki, jaeger, inbox, files = places.loki, places.jaeger, places.inbox, places.files
        assert loki is not None
        assert jaeger is not None
        assert inbox is not None
        assert files is not None
        readers = {
            "loki": lambda: loki_texts(canaries, loki),
            "log files": files.gained,
            "jaeger": lambda: jaeger_texts(canaries, jaeger),
            "inbox": lambda: inbox_texts(canaries, inbox),
            "answers": lambda: refusal_texts(canaries),
        }
        for name, read in readers.items():
            poll_until(
                lambda read=read: found_all(canaries, read()), f"all kinds of secrets in {name}", SECONDS
            )
        failed = {check.name: check.attempt() for check in checks_of(canaries, places, http=scene.http)}
        warned = loki.search(
            '{level="ERROR"} |= "Masking is off"', start=canaries.since - 300, end=canaries.since + SECONDS
        )
    for name in ("loki", "log files", "jaeger", "inbox", "error answers"):
        result = failed[f"canaries: {name}"]
        assert isinstance(result, Missing)
        assert result.final
        assert result.what.startswith("found in")
    loud = {line.labels["service"] for line in warned.lines}
    assert loud >= {"judgment", "fds", "inbox"}


def found_all(canaries: Canaries, texts: Iterable[tuple[str, str]]) -> bool:
    """True when the texts hold every kind; poll_until reports which are missing."""
    kinds = {kind for _, text in texts for kind in kinds_in(text, canaries.planted)}
    missing = set(SECRETS) - kinds
    if missing:
        raise LookupError(f"not found: {', '.join(sorted(missing))}")
    return True
