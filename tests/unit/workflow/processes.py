"""A stub of judgment on a thread, and the workflow service as a process that tests start and kill."""

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from firedrill.wait import poll_until

ROOT = Path(__file__).parents[3]
TOKEN = {"Authorization": "Bearer open"}
Spawn = Callable[[int, Mapping[str, str]], "subprocess.Popen[bytes]"]


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class StubJudgment:
    """Answers every case with `verdict` after `seconds`, or with `status` when it is not 200."""

    def __init__(self) -> None:
        self.verdict, self.status, self.seconds = "approved", 200, 0.02
        self.keys: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                with suppress(BrokenPipeError, ConnectionResetError):  # the one who asked was killed
                    stub.answer(self)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Take one case."""
        handler.rfile.read(int(handler.headers["Content-Length"]))
        self.keys[handler.headers["Idempotency-Key"]] += 1
        self.headers.append({name.lower(): value for name, value in handler.headers.items()})
        threading.Event().wait(self.seconds)
        said: dict[str, Any] = {
            "execution_id": "e-1",
            "result": {"status": self.verdict},
            "confidence": 0.9,
            "method_used": "rule",
        }
        body = json.dumps(said if self.status == 200 else {"error": {"code": "stub"}}).encode()
        handler.send_response(self.status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def close(self) -> None:
        """Stop listening; may be called twice."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._server.server_close()
            self._thread.join()


class Workflow:
    """The service on one port; may be killed and started again."""

    def __init__(self, spawn: Spawn, environ: Mapping[str, str], port: int, folder: Path) -> None:
        self._spawn, self.environ = spawn, dict(environ)
        self.port, self._folder = port, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=15.0, trust_env=False)

    def start(self) -> None:
        """Start it, and wait until it is ready."""
        self.launch()
        poll_until(lambda: self.status("/health/ready") == 200, "workflow is ready", 30)

    def launch(self) -> None:
        """Start it, and wait for nothing."""
        self._process = self._spawn(self.port, self.environ)

    def status(self, path: str) -> int:
        """The status of an answer, 0 while nobody listens."""
        try:
            return self.http.get(path).status_code
        except httpx.TransportError:
            return 0

    def kill(self) -> None:
        """As kill -9 does it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def close(self) -> None:
        """Kill it for good."""
        self.kill()
        self.http.close()

    def stop(self) -> int:
        """As SIGTERM does it; the exit code."""
        assert self._process is not None
        self._process.terminate()
        code = self._process.wait(20)
        self._process = None
        return code

    def another(self) -> "Workflow":
        """A replica on the same database."""
        return Workflow(self._spawn, self.environ, free_port(), self._folder)

    def lines(self, message: str) -> list[dict[str, Any]]:
        """Its log lines with this message."""
        return [
            line for line in map(_parsed, self._everything().splitlines()) if line.get("message") == message
        ]

    def _everything(self) -> str:
        path = self._folder / f"output-{self.port}"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def begin(self, workflow_id: str = "order-to-cash", *, wait: float = 0, **given: Any) -> httpx.Response:
        """Start an instance for acme."""
        body = {"tenant_id": "acme", "input": given}
        return self.http.post(f"/api/v1/workflows/{workflow_id}/instances?wait={wait}", json=body)

    def instance(self, answer: httpx.Response) -> dict[str, Any]:
        """The instance that was started."""
        found = self.http.get(answer.json()["location"])
        assert found.status_code == 200, found.text
        return dict(found.json())

    def ended(self, answer: httpx.Response, seconds: float = 30) -> dict[str, Any]:
        """The instance once it has ended."""

        def look() -> dict[str, Any] | None:
            found = self.instance(answer)
            return found if found["status"] in {"completed", "failed"} else None

        return dict(poll_until(look, "the instance ends", seconds))

    def node(self, answer: httpx.Response, node_id: str) -> dict[str, Any]:
        """One node of an instance."""
        return next(one for one in self.instance(answer)["nodes"] if one["node_id"] == node_id)

    def fault(self, name: str, **parameters: float | str) -> None:
        """Set a fault."""
        set_as = self.http.put(f"/faults/{name}", json={"parameters": parameters}, headers=TOKEN)
        assert set_as.status_code == 200, set_as.text

    def heal(self) -> None:
        """Clear all faults."""
        assert self.http.delete("/faults", headers=TOKEN).status_code == 204

    def metric(self, name: str, **labels: str) -> float:
        """The sum over the series of a metric with these labels."""
        total = 0.0
        for line in self.http.get("/metrics").text.splitlines():
            series, _, value = line.rpartition(" ")
            known, _, rest = series.partition("{")
            if known == name and all(f'{key}="{label}"' in rest for key, label in labels.items()):
                total += float(value)
        return total


def _parsed(line: str) -> dict[str, Any]:
    """A log line; nothing where it is other output, or was cut off by a kill."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return {}


def settle(condition: Callable[[], object], what: str, seconds: float = 15) -> float:
    """Wait for a condition; the seconds that it took."""
    began = time.monotonic()
    poll_until(condition, what, seconds, interval=0.1)
    return time.monotonic() - began
