"""A small bounded load over all services, each request with an id of its own, and what came back."""

import itertools
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import httpx

REQUESTS_A_SECOND = 10
LIMIT_SECONDS = 10.0
# A second's requests: what customers notice most is asked most.
MIX = (
    "ecommerce",
    "fds",
    "ecommerce",
    "judgment",
    "ecommerce",
    "workflow",
    "fds",
    "ecommerce",
    "admin",
    "ml",
)
FEATURES = {
    "log_amount": 10.7, "log_amount_per_item": 10.0, "items_count": 2, "account_age_days": 400,
    "hour_in_korea": 12.0, "country_mismatch": 0, "shipping_mismatch": 0, "country_anonymous": 0,
    "device_unknown": 0, "paid_by_card": 1, "paid_by_transfer": 0,
}  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What became of one request; `status` is 0 when there was none, with the reason in `trouble`."""

    service: str
    request_id: str
    sent: float
    seconds: float
    status: int
    trace_id: str = ""
    body: Mapping[str, Any] = field(default_factory=dict)
    trouble: str = ""

    @property
    def at(self) -> float:
        """When it was there, in unix seconds."""
        return self.sent + self.seconds

    @property
    def accepted(self) -> bool:
        """Whether the service took the request."""
        return 200 <= self.status < 300


def requested(service: str, name: str) -> tuple[str, Mapping[str, object]]:
    """Path and body of a request that its service accepts; `name` makes it one of its own."""
    bodies: Mapping[str, tuple[str, Callable[[], Mapping[str, object]]]] = {
        "ecommerce": ("/api/v1/checkout", lambda: {
            "email": f"{name}@shop.example", "idempotency_key": name, "device_id": f"device-{name}",
            "payment_method": "credit_card", "items": [{"product_id": "p-001", "quantity": 1}],
        }),
        "fds": ("/api/v1/fds/evaluate", lambda: {
            "transaction_id": name, "user_id": f"user-{name}", "amount": 12900, "payment_method": "card",
            "items_count": 1, "account_age_days": 900,
        }),
        "judgment": ("/api/v1/judgment/execute", lambda: {
            "tenant_id": "probe", "workflow_id": "invoice-approval", "policy": "hybrid",
            "input": {"amount": 100 + secrets.randbelow(10_000_000) / 100, "supplier_risk": 0.2,
                      "has_purchase_order": True, "category": "materials"},
        }),
        "workflow": ("/api/v1/workflows/order-to-cash/instances", lambda: {
            "tenant_id": "probe",
            "input": {"score": 790, "debt_ratio": 0.1, "requested": 500, "value": 900},
        }),
        "admin": ("/api/v1/admin/reviews", lambda: {
            "transaction_id": name, "verdict": "legitimate", "reviewer": "firedrill-probe", "note": "kill",
        }),
        "ml": ("/api/v1/ml/score", lambda: {"transaction_id": name, "features": FEATURES}),
    }  # fmt: skip
    path, body = bodies[service]
    return path, body()


class Load:
    """Sends REQUESTS_A_SECOND until it is left, whatever comes back; `answers` grow meanwhile."""

    def __init__(self, url: Callable[[str], str], name: str) -> None:
        self._url, self._name = {service: url(service) for service in set(MIX)}, name
        self._over = threading.Event()
        self._pool = ThreadPoolExecutor(max_workers=32)
        self._thread = threading.Thread(target=self._send_all, name="load")
        self.answers: list[Answer] = []

    def __enter__(self) -> "Load":
        self.began = time.time()
        self._http = httpx.Client(timeout=LIMIT_SECONDS, trust_env=False)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self._pool.shutdown(wait=True)
        self._http.close()
        self.ended = time.time()

    def _send_all(self) -> None:
        begin = time.monotonic()
        for number in itertools.count():
            if self._over.wait(max(0.0, begin + number / REQUESTS_A_SECOND - time.monotonic())):
                return
            self._pool.submit(self._send, MIX[number % len(MIX)], f"{self._name}-{number}")

    def _send(self, service: str, name: str) -> None:
        path, body = requested(service, name)
        sent, begin = time.time(), time.perf_counter()
        try:
            response = self._http.post(
                self._url[service] + path, json=dict(body), headers={"X-Request-ID": name}
            )
        except httpx.HTTPError as error:
            seconds = time.perf_counter() - begin
            self.answers.append(Answer(service, name, sent, seconds, 0, trouble=repr(error)))
            return
        seconds = time.perf_counter() - begin
        try:
            told = response.json()
        except ValueError:
            told = {}
        self.answers.append(
            Answer(
                service,
                response.headers.get("x-request-id", ""),
                sent,
                seconds,
                response.status_code,
                response.headers.get("x-trace-id", ""),
                told if isinstance(told, dict) else {},
            )
        )
