"""The way of a Sentry event out of the process: a bounded queue, one try, and a count of losses."""

from __future__ import annotations

import gzip
import json
import ssl
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.request import getproxies, proxy_bypass

import certifi
import orjson
import urllib3
from opentelemetry.context import Context, attach, detach
from opentelemetry.instrumentation.utils import suppress_instrumentation
from sentry_sdk.consts import VERSION
from sentry_sdk.envelope import Envelope, Item
from sentry_sdk.transport import Transport

from telemetry.background import Background, Dropped
from telemetry.logs import get_logger
from telemetry.masking import mask_value

QUEUE_EVENTS: Final = 100
CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = 3.0
DROP_REASONS: Final = (
    "queue_full", "unreachable", "refused", "rate_limited", "throttled", "failed", "shutdown",
)  # fmt: skip
_LONGEST_PAUSE: Final = 3600.0  # whatever the server says
_DEFAULT_PAUSE: Final = 60.0
_CATEGORY: Final = {"event": "error", "transaction": "transaction"}
_NOT_LOST: Final = ("sample_rate", "before_send", "backpressure")
_log = get_logger("sentry")


class QueuedTransport(Transport):
    """Sends events and transactions, and nothing else that the SDK may think of, in the background.

    The SDK's own transport waits 30 s for a server that hangs, tries up to four times, and tells its
    losses to Sentry only. `dropped(reason, count)` hears of them here; the reasons are DROP_REASONS.
    """

    def __init__(self, dsn: str, *, sent: Callable[[int], None], dropped: Dropped) -> None:
        super().__init__({"dsn": dsn})
        if self.parsed_dsn is None:
            raise ValueError("there is no DSN")
        auth = self.parsed_dsn.to_auth(f"sentry.python/{VERSION}")
        self._url = auth.get_api_url()
        self._headers = {
            "Content-Type": "application/x-sentry-envelope",
            "Content-Encoding": "gzip",
            "User-Agent": f"sentry.python/{VERSION}",
            "X-Sentry-Auth": auth.to_header(),
        }
        self._sent, self._dropped = sent, dropped
        self._pool = _pool(self.parsed_dsn.scheme, self.parsed_dsn.host)
        self._paused_until: dict[str, float] = {}
        self._silent = False
        self._queue: Background[Item] = Background(
            "telemetry-sentry",
            self._send,
            dropped=dropped,
            capacity=QUEUE_EVENTS,
            batch=1,
            linger_seconds=0.0,
        )

    def capture_envelope(self, envelope: Envelope) -> None:
        """Queue the events in an envelope; never blocks."""
        for item in envelope.items:
            if item.type in _CATEGORY:
                self._queue.put(item)

    def flush(self, timeout: float, callback: object = None) -> None:
        """Wait at most `timeout` seconds for what was queued before."""
        self._queue.flush(timeout)

    def kill(self) -> None:
        """Stop; what is still queued is counted as lost."""
        self._queue.close(0.0, interrupt=self._pool.clear)

    def record_lost_event(
        self, reason: str, data_category: object = None, item: object = None, *, quantity: int = 1
    ) -> None:
        """What the SDK itself gave up; events that were not to be sent are no loss."""
        if data_category in _CATEGORY.values() and reason not in _NOT_LOST:
            self._dropped("failed", quantity)

    def _send(self, batch: list[Item]) -> None:
        token = attach(Context())
        try:
            with suppress_instrumentation():  # a report is no part of anybody's trace
                for item in batch:
                    self._deliver(item)
        finally:
            detach(token)

    def _deliver(self, item: Item) -> None:
        category = _CATEGORY[str(item.type)]
        now = time.monotonic()
        if max(self._paused_until.get(category, 0.0), self._paused_until.get("", 0.0)) > now:
            self._dropped("rate_limited", 1)
            return
        body = gzip.compress(_envelope(item), compresslevel=5, mtime=0)
        try:
            status, headers = self._post(body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._lost("unreachable", type(error).__name__)
            return
        self._paused_until.update(_pauses(status, headers, now))
        if status == 429:
            self._dropped("rate_limited", 1)
        elif 200 <= status < 300:
            self._sent(1)
            if self._silent:
                self._silent = False
                _log.info("Error events arrive again")
        else:
            self._lost("refused", f"HTTP {status}")

    def _post(self, body: bytes) -> tuple[int, Mapping[str, str]]:
        response = self._pool.request(
            "POST",
            self._url,
            body=body,
            headers=self._headers,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            retries=False,
            redirect=False,
            preload_content=False,  # nothing in the answer's body is wanted, however long it is
        )
        status, headers = response.status, dict(response.headers)
        response.close()
        return status, {name.lower(): value for name, value in headers.items()}

    def _lost(self, reason: str, why: str) -> None:
        self._dropped(reason, 1)
        if not self._silent:
            self._silent = True
            _log.warning("Error events do not arrive; the service goes on", reason=why)


def _pool(scheme: str, host: str) -> urllib3.PoolManager:
    """Connections with verified certificates, through the environment's proxy when there is one."""
    trusted = ssl.create_default_context()
    trusted.load_verify_locations(cafile=certifi.where())
    proxy = None if proxy_bypass(host) else getproxies().get(scheme)
    if proxy:
        return urllib3.ProxyManager(proxy, num_pools=1, maxsize=1, ssl_context=trusted)
    return urllib3.PoolManager(num_pools=1, maxsize=1, ssl_context=trusted)


def _envelope(item: Item) -> bytes:
    """One event in Sentry's envelope format (https://develop.sentry.dev/sdk/data-model/envelopes/)."""
    event = item.payload.json
    payload = _json(event)
    head: dict[str, object] = {"sent_at": datetime.now(UTC).isoformat()}
    if isinstance(event, dict):
        head["event_id"] = event.get("event_id")
    item_head = {"type": item.type, "content_type": "application/json", "length": len(payload)}
    return b"\n".join((_json(head), _json(item_head), payload, b""))


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)  # what is not finite becomes null
    except TypeError:  # halves of surrogate pairs, or integers of more than 64 bits
        return json.dumps(mask_value(value), allow_nan=False).encode("ascii")


def _pauses(status: int, headers: Mapping[str, str], now: float) -> dict[str, float]:
    """Until when which category is to be held back, "" being all; as Sentry's two headers say it."""
    limits = headers.get("x-sentry-rate-limits", "")
    if not limits:
        seconds = _seconds(headers.get("retry-after", ""))
        return {"": now + (_DEFAULT_PAUSE if seconds is None else seconds)} if status == 429 else {}
    found: dict[str, float] = {}
    for limit in limits.split(",")[:20]:
        text, _, rest = limit.strip().partition(":")
        seconds = _seconds(text)
        if seconds is not None:
            categories = rest.partition(":")[0].split(";")[:20]
            found.update(dict.fromkeys(categories, now + seconds))
    return {name: until for name, until in found.items() if name in ("", *_CATEGORY.values())}


def _seconds(text: str) -> float | None:
    try:
        return min(_LONGEST_PAUSE, max(0.0, float(text)))
    except ValueError:  # a date, or nonsense
        return None
