"""Backends that stand in for real ones, each on a port of its own that can be closed and opened again."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

Answer = tuple[int, Any]
Route = tuple[str, str, Callable[["Backend", re.Match[str], Mapping[str, str], Any], Answer]]

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACED = {"trace_id": TRACE_ID}
SCRIPT = "<script>window.stolen = 1</script><img src=x onerror='window.stolen = 2'>"


class Backend:
    """All of them at once, on one port; a test uses one instance for each."""

    def __init__(self) -> None:
        self.silences: list[dict[str, Any]] = []
        self.lines: list[tuple[float, dict[str, str]]] = []
        self.active: dict[str, Any] = {}
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        # The same for all tests: the console shares answers for two seconds, longer than some tests take.
        self.since = time.time() - 90
        self.reset()

    def reset(self) -> None:
        """As new: it answers, and holds what it held at first."""
        self.silences.clear()
        self.active.clear()
        self.another = False
        # Lines by the second in which they were written.
        now = time.time() // 1
        self.lines[:] = [
            (now - 5, {"level": "ERROR", "service": "fds", "message": SCRIPT, "order_id": SCRIPT, **TRACED}),
            (now - 6, {"level": "INFO", "service": "ecommerce", "message": "Order placed", **TRACED}),
        ]
        if self._server is None:
            self.open()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def open(self) -> None:
        """Answer (again), on the same port as before."""
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self) -> None:
                parts = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("content-length") or 0))
                asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
                status, answer = backend.answer(
                    self.command, parts.path, asked, json.loads(body) if body else None
                )
                content = b"" if answer is None else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(content)))
                self.send_header("connection", "close")
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = handle_any  # noqa: N815 - the standard library's names

            def log_message(self, format: str, *args: Any) -> None:
                """Nothing on the test's output."""

        ThreadingHTTPServer.allow_reuse_address = True
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def answer(self, method: str, path: str, asked: Mapping[str, str], body: Any) -> Answer:
        """What the real one would say."""
        for verb, pattern, say in ROUTES:
            if verb == method and (found := re.fullmatch(pattern, path)):
                return say(self, found, asked, body)
        return 404, {"error": f"no {method} {path}"}


@contextmanager
def backends(*names: str) -> Iterator[dict[str, Backend]]:
    """One for each name, closed at the end."""
    made = {name: Backend() for name in names}
    try:
        yield made
    finally:
        for one in made.values():
            one.close()


def _iso(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + ".000Z"


LABELS = {
    "alertname": "FDSSLAViolation",
    "severity": "warning",
    "system": "shopfds",
    "service": "fds",
    "note": SCRIPT,
}
NOTES = {
    "summary": f"Slow {SCRIPT}", "description": "P95 is 0.25 s; 0.1 s is the limit.",
    "runbook_url": "http://127.0.0.1:8090/runbooks/fds/FDSSLAViolation",
    "dashboard_url": "http://127.0.0.1:3002/d/fds-performance",
}  # fmt: skip


def _alerts(backend: Backend, *_: Any) -> Answer:
    alert = {
        "labels": LABELS,
        "annotations": NOTES,
        "state": "firing",
        "activeAt": _iso(backend.since),
        "value": "0.25",
    }
    other = {**alert, "labels": {**LABELS, "alertname": "Another"}}
    return 200, {"status": "success", "data": {"alerts": [alert, other] if backend.another else [alert]}}


def _rules(backend: Backend, *_: Any) -> Answer:
    rule = {
        "type": "alerting", "name": "FDSSLAViolation", "state": "firing", "duration": 30, "query": "x > 0.1",
        "labels": LABELS, "annotations": NOTES, "health": "ok",
    }  # fmt: skip
    return 200, {
        "status": "success",
        "data": {"groups": [{"name": "fds", "file": "fds.yml", "rules": [rule]}]},
    }


def _query(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    now = time.time()
    result = [{"metric": {"service": "fds", "text": SCRIPT}, "value": [now, "0.25"]}]
    return 200, {"status": "success", "data": {"resultType": "vector", "result": result}}


def _query_range(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    start, end, step = (float(asked[name]) for name in ("start", "end", "step"))
    count = int((end - start) / step)
    metric: dict[str, str] = {}
    if "ALERTS" in asked["query"]:
        metric, count = {"__name__": "ALERTS", **LABELS, "alertstate": "firing"}, min(count, 20)
    points = [[end - step * at, "0.25"] for at in range(count)][::-1]
    return 200, {
        "status": "success",
        "data": {"resultType": "matrix", "result": [{"metric": metric, "values": points}]},
    }


def _held(backend: Backend, *_: Any) -> Answer:
    ids = [one["id"] for one in backend.silences if one["status"]["state"] == "active"]
    return 200, [
        {
            "fingerprint": "f1", "labels": LABELS, "annotations": NOTES, "startsAt": _iso(time.time() - 90),
            "updatedAt": _iso(time.time()), "endsAt": _iso(time.time() + 300), "generatorURL": "",
            "receivers": [{"name": "shopfds-warning"}],
            "status": {"state": "suppressed" if ids else "active", "silencedBy": ids, "inhibitedBy": []},
        }
    ]  # fmt: skip


def _silence(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    silence = {**body, "id": f"s{len(backend.silences)}", "status": {"state": "active"}}
    backend.silences.append(silence)
    return 200, {"silenceID": silence["id"]}


def _expire(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    for one in backend.silences:
        if one["id"] == found[1]:
            one["status"] = {"state": "expired"}
    return 200, None


def _lines(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    end = int(asked["end"])
    if "count_over_time" in asked["query"]:
        values = [[end / 1e9 - 60, "2"], [end / 1e9, "3"]]
        result = [{"metric": {"level": level}, "values": values} for level in ("INFO", "ERROR")]
        return 200, {"status": "success", "data": {"resultType": "matrix", "result": result}}
    streams = [
        {
            "stream": {"service": fields["service"], "level": fields["level"]},
            "values": [[str(int(at * 1e9)), json.dumps(fields), {}]],
        }
        for at, fields in backend.lines
        if f'service="{fields["service"]}"' in asked["query"] or 'service=~".+"' in asked["query"]
    ]
    return 200, {"status": "success", "data": {"resultType": "streams", "result": streams}}


def _span(
    name: str, span_id: str, parent: str, *, begins: int, lasts: int, process: str, **tags: str
) -> dict[str, Any]:
    references = [{"refType": "CHILD_OF", "traceID": TRACE_ID, "spanID": parent}] if parent else []
    return {
        "traceID": TRACE_ID, "spanID": span_id, "operationName": name, "references": references,
        "startTime": int((time.time() - 5) * 1e6) + begins, "duration": lasts, "processID": process,
        "tags": [{"key": key, "type": "string", "value": value} for key, value in tags.items()], "logs": [],
    }  # fmt: skip


def _trace(backend: Backend, *_: Any) -> Answer:
    status = {"otel.status_code": "ERROR", "otel.status_description": SCRIPT, "http.route": SCRIPT}
    spans = [
        _span("POST /v1/orders", "a1", "", begins=0, lasts=200_000, process="p1"),
        _span("evaluate", "b1", "a1", begins=20_000, lasts=150_000, process="p2", **status),
        _span("SELECT", "c1", "b1", begins=40_000, lasts=90_000, process="p2"),
    ]
    processes = {"p1": {"serviceName": "ecommerce", "tags": []}, "p2": {"serviceName": "fds", "tags": []}}
    return 200, {"data": [{"traceID": TRACE_ID, "spans": spans, "processes": processes}]}


def _message(message_id: int, kind: str, status: str) -> dict[str, Any]:
    alert = {
        "alertname": "FDSSLAViolation",
        "status": status,
        "labels": LABELS,
        "annotations": NOTES,
        "starts_at": "",
        "ends_at": "",
        "fingerprint": "",
        "generator_url": "",
    }
    return {
        "id": message_id,
        "received_at": time.time() // 1 - 60 + message_id,
        "kind": kind,
        "receiver": "shopfds-warning",
        "channel": "shopfds-alerts",
        "status": status,
        "severity": "warning",
        "title": f"{status.upper()} {SCRIPT}",
        "text": f"*Slow* {SCRIPT}",
        "alertnames": ["FDSSLAViolation"],
        "labels": LABELS,
        "links": [{"label": "runbook", "url": NOTES["runbook_url"]}],
        "alerts": [alert],
    }


KINDS = ("slack", "pagerduty", "email", "webhook", "sentry")
RAW: dict[str, Any] = {
    "slack": {
        "username": "Firedrill",
        "attachments": [
            {
                "color": "danger",
                "title": f"FIRING {SCRIPT}",
                "title_link": NOTES["runbook_url"],
                "text": f"*Slow* for `fds` {SCRIPT}\n<{NOTES['dashboard_url']}|Dashboard>",
                "footer": "shopfds-warning",
                "fields": [{"title": "Severity", "value": "warning", "short": True}],
            }
        ],
    },
    "pagerduty": {
        "event_action": "trigger",
        "payload": {"source": "fds", "custom_details": {"description": SCRIPT}},
    },
    "email": {
        "headers": {
            "From": "alertmanager@firedrill.example",
            "To": "ops@firedrill.example",
            "Subject": SCRIPT,
        }
    },
    "webhook": {"version": "4", "text": SCRIPT},
    "sentry": {
        "transaction": "POST /v1/orders",
        "exception": {
            "values": [
                {
                    "type": "TimeoutError",
                    "value": SCRIPT,
                    "stacktrace": {
                        "frames": [
                            {"filename": "model.py", "lineno": 41, "function": "score", "in_app": True}
                        ]
                    },
                }
            ]
        },
    },
}


def _messages(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    every = [_message(at + 1, kind, "firing") for at, kind in enumerate(KINDS)][::-1]
    wanted = [one for one in every if asked.get("kind") in (None, one["kind"])]
    return 200, {"total": len(every), "messages": wanted}


def _raw(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    number = int(found[1])
    if not 1 <= number <= len(KINDS):
        return 404, {"error": {"message": "no such message"}}
    kind = KINDS[number - 1]
    return 200, {**_message(number, kind, "firing"), "raw": RAW[kind]}


def _faults(backend: Backend, *_: Any) -> Answer:
    parameter = {
        "name": "milliseconds",
        "default": 150,
        "minimum": 1,
        "maximum": 5000,
        "unit": "ms",
        "choices": [],
        "help": "added to each call",
    }
    active = backend.active.get("cti_slow")
    fault = {
        "name": "cti_slow",
        "help": f"Answers late {SCRIPT}",
        "parameters": [parameter],
        "active": active,
    }
    return 200, {"faults": [fault]}


def _set(backend: Backend, found: re.Match[str], asked: Mapping[str, str], body: Any) -> Answer:
    now = time.time()
    backend.active[found[1]] = {
        "parameters": body["parameters"],
        "set_at": now,
        "expires_at": now + body["ttl_seconds"],
    }
    return _faults(backend)[0], _faults(backend)[1]["faults"][0]


def _clear(backend: Backend, *_: Any) -> Answer:
    backend.active.clear()
    return 204, None


ROUTES: tuple[Route, ...] = (
    ("GET", "/api/v1/alerts", _alerts),
    ("GET", "/api/v1/rules", _rules),
    ("GET", "/api/v1/query", _query),
    ("GET", "/api/v1/query_range", _query_range),
    ("GET", "/api/v2/alerts", _held),
    ("GET", "/api/v2/silences", lambda backend, *_: (200, [dict(one) for one in backend.silences])),
    ("POST", "/api/v2/silences", _silence),
    ("DELETE", "/api/v2/silence/(.+)", _expire),
    ("GET", "/loki/api/v1/query_range", _lines),
    ("GET", "/loki/api/v1/label/service/values", lambda *_: (200, {"data": ["ecommerce", "fds"]})),
    ("GET", "/api/services", lambda *_: (200, {"data": ["fds", "ecommerce"]})),
    ("GET", "/api/services/(.+)/operations", lambda *_: (200, {"data": ["evaluate"]})),
    ("GET", "/api/traces(/.+)?", _trace),
    ("GET", "/api/v1/messages", _messages),
    ("GET", "/api/v1/messages/([0-9]+)", _raw),
    ("GET", "/api/heartbeat", lambda *_: (200, {"alive": True, "silent_seconds": 3.0, "limit_seconds": 18})),
    ("GET", "/faults", _faults),
    ("PUT", "/faults/(.+)", _set),
    ("DELETE", "/faults(/.+)?", _clear),
)
