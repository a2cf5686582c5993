"""A Sentry on a free port that keeps what it is sent, and secrets to look for in it."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from telemetry import sentry
from telemetry.metrics import Metrics
from telemetry.sentry import SentrySettings

KEY = "0123456789abcdef0123456789abcdef"
SECRETS: Mapping[str, str] = {
    "card": "4111 1111 1111 1111",
    "mail": "minji.kim@example.com",
    "key": "sk-1234567890abcdef1234",
    "aws": "AKIAIOSFODNN7EXAMPLE",
    "phone_no": "010-1234-5678",
    "db": "postgresql://fds:hunter2secret@postgres:5432/fds",
}
TELLTALES = (
    "4111 1111", "minji.kim", "1234567890abcdef1234", "AKIAIOSFODNN7EXAMPLE", "1234-5678", "hunter2secret",
)  # fmt: skip
ALL_SECRETS = "; ".join(SECRETS.values())


def dsn(port: int) -> str:
    """A DSN with a path, as the inbox wants it."""
    return f"http://{KEY}@127.0.0.1:{port}/sentry/1"


@dataclass
class FakeSentry:
    """Answers `status` and `headers`; keeps paths, headers, and items as (type, payload)."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    port: int = 0

    @property
    def items(self) -> list[tuple[str, dict[str, Any]]]:
        found = []
        for _, _, text in self.requests:
            _, head, payload = text.split("\n")[:3]
            found.append((json.loads(head)["type"], json.loads(payload)))
        return found

    @property
    def events(self) -> list[dict[str, Any]]:
        return [payload for kind, payload in self.items if kind == "event"]

    @property
    def text(self) -> str:
        return "\n".join(text for _, _, text in self.requests)

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        if headers.get("content-encoding") == "gzip":
            body = gzip.decompress(body)
        self.requests.append((path, headers, body.decode()))


@contextmanager
def fake_sentry(**answers: Any) -> Iterator[FakeSentry]:
    """A fake Sentry that listens."""
    fake = FakeSentry(**answers)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"] or 0))
            fake.take(self.path, {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(fake.status)
            for name, value in {"content-length": "0", **fake.headers}.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is printed."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        fake.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join(5)


@dataclass
class Process:
    """A process with Sentry on, and its metrics."""

    metrics: Metrics

    def value(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(name, labels) or 0.0

    def dropped(self, reason: str) -> float:
        return self.value("telemetry_events_dropped_total", reason=reason)

    @property
    def sent(self) -> float:
        return self.value("telemetry_events_sent_total")


@contextmanager
def sentry_on(port: int, **settings: str) -> Iterator[Process]:
    """Sentry on, with a DSN to this port; off at the end."""
    process = Process(Metrics())
    chosen = SentrySettings(**{"dsn": dsn(port), "service": "fds", "version": "1.0.rc1", **settings})
    assert sentry.init_sentry(chosen, metrics=process.metrics)
    try:
        yield process
    finally:
        sentry.close_sentry()
        process.metrics.close()
