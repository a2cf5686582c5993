"""Errors and slow evaluations as Sentry events: seven functions that do next to nothing without a DSN.

    SENTRY_DSN      where events go; without it sentry-sdk is not even imported
    ENVIRONMENT     development keeps every transaction, anything else one in ten
    APP_VERSION     the release, as <service>@<version>

An application calls `init_sentry` once, `watch_requests` before `telemetry.app.instrument`, and
`close_sentry` at its end. None of the functions blocks or raises: what cannot be sent is counted
in telemetry_events_dropped_total.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Protocol

from telemetry.logs import get_logger

if TYPE_CHECKING:
    from fastapi import FastAPI

    from telemetry.metrics import Metrics

Level = Literal["warning", "error", "fatal"]
"""The levels of events; nothing below a warning is one. Breadcrumbs may be of any level."""

CONTEXT_KEYS: Final[tuple[str, ...]] = (
    "transaction_id", "order_amount", "payment_method", "risk_score", "engine", "duration_ms", "threshold_ms",
)  # fmt: skip
"""What is known of a payment; kept together in the event's context `payment`. user_id is hashed."""

UNUSABLE: Final = "SENTRY_DSN cannot be used: Sentry stays off"
CLOSE_SECONDS: Final = 2.0
_log = get_logger("sentry")


@dataclass(frozen=True, kw_only=True)
class SentrySettings:
    """Where events go and what they say of their sender; an empty DSN switches Sentry off."""

    dsn: str = field(default="", repr=False)
    environment: str = "development"
    version: str = "0.0.0"
    service: str = "unknown_service"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, service: str) -> SentrySettings:
        """From SENTRY_DSN, ENVIRONMENT, APP_VERSION and OTEL_SERVICE_NAME, which wins over `service`."""
        return cls(
            dsn=(environ.get("SENTRY_DSN") or "").strip(),
            environment=environ.get("ENVIRONMENT") or "development",
            version=environ.get("APP_VERSION") or "0.0.0",
            service=environ.get("OTEL_SERVICE_NAME") or service,
        )

    @property
    def traces_sample_rate(self) -> float:
        """Share of transactions that are kept."""
        return 1.0 if self.environment == "development" else 0.1


class Transaction(Protocol):
    """A piece of work that is timed; a context manager, or ended by `finish`."""

    def __enter__(self) -> object:
        """Begin."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None, /
    ) -> object:
        """End; an error that passes marks it as failed."""

    def set_tag(self, key: str, value: object, /) -> None:
        """Something to search by."""

    def set_data(self, key: str, value: object, /) -> None:
        """Something to know."""

    def finish(self) -> object:
        """End it, and queue it to be sent."""


class NoTransaction:
    """The transaction when Sentry is off."""

    def __enter__(self) -> NoTransaction:
        """Nothing begins."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing ends."""

    def set_tag(self, key: str, value: object, /) -> None:
        """Nobody searches."""

    def set_data(self, key: str, value: object, /) -> None:
        """Nobody knows."""

    def finish(self) -> None:
        """Nothing is sent."""


class Reporter(Protocol):
    """What sends events; `telemetry.sentry_client` has the real one. No method blocks or raises."""

    def exception(self, error: BaseException, level: Level, context: Mapping[str, object]) -> str | None:
        """Queue an exception; its event id, or None when nothing was queued."""

    def message(self, text: str, level: Level, context: Mapping[str, object]) -> str | None:
        """Queue a message; its event id, or None when nothing was queued."""

    def breadcrumb(self, message: str, category: str, level: str, data: Mapping[str, object]) -> None:
        """Keep a step for the next event of this request."""

    def transaction(self, name: str, op: str, context: Mapping[str, object]) -> Transaction:
        """Begin a transaction."""

    def request(self) -> AbstractContextManager[object]:
        """Keep one request's breadcrumbs apart from all others'."""

    def close(self, timeout_seconds: float) -> None:
        """Send what is queued, for at most so long, and stop."""


@dataclass(slots=True)
class _Process:
    """A process has one reporter, or none."""

    reporter: Reporter | None = None


_process = _Process()


def init_sentry(settings: SentrySettings, *, metrics: Metrics) -> bool:
    """Switch Sentry on for this process; False when it stays off.

    That is so without a DSN, and, with a warning in the log, with one that cannot be used: a wrong
    setting here must not keep a service from starting.
    """
    close_sentry()
    if not settings.dsn:
        return False
    from telemetry.sentry_client import SentryReporter  # noqa: PLC0415 - takes half a second, and is optional

    try:
        _process.reporter = SentryReporter(settings, metrics)
    except Exception as error:  # the SDK's and urllib3's own refusals; their texts may repeat the DSN
        _log.warning(UNUSABLE, reason=type(error).__name__, todo="write http(s)://<key>@<host>/<project>")
        return False
    atexit.register(close_sentry)
    return True


def close_sentry() -> None:
    """Send what is queued, for at most CLOSE_SECONDS, and switch Sentry off; may be called twice."""
    atexit.unregister(close_sentry)
    reporter, _process.reporter = _process.reporter, None
    if reporter is not None:
        reporter.close(CLOSE_SECONDS)


def is_on() -> bool:
    """Whether events are sent."""
    return _process.reporter is not None


def request_scope() -> AbstractContextManager[object]:
    """Breadcrumbs inside belong to one request; `watch_requests` does this for every request."""
    reporter = _process.reporter
    return nullcontext() if reporter is None else reporter.request()


def watch_requests(app: FastAPI) -> None:
    """Report every exception that no handler of `app` expects, and keep requests' breadcrumbs apart.

    To be called before `telemetry.app.instrument`, so that it runs inside the request's span.
    Without a DSN nothing is added.
    """
    if is_on():
        from telemetry.sentry_requests import ReportedRequests  # noqa: PLC0415 - needed with a DSN only

        app.add_middleware(ReportedRequests)


def capture_exception_with_context(
    error: BaseException, *, level: Level = "error", **context: object
) -> str | None:
    """Report an exception with what is known: CONTEXT_KEYS, user_id, and anything else as extra.

    The event's id, or None when it was not queued. The same exception is reported once.
    """
    reporter = _process.reporter
    return None if reporter is None else reporter.exception(error, level, context)


def capture_fds_exception(
    error: BaseException,
    *,
    transaction_id: str,
    risk_score: float | None = None,
    engine: str | None = None,
    **context: object,
) -> str | None:
    """Report that an evaluation, or one of its engines, failed; `risk_score` is 0 to 100."""
    reporter = _process.reporter
    if reporter is None:
        return None
    known = {**context, "transaction_id": transaction_id, "risk_score": risk_score, "engine": engine}
    return reporter.exception(error, "error", known)


def capture_fds_performance_issue(
    *,
    engine: str,
    duration_ms: float,
    threshold_ms: float,
    transaction_id: str | None = None,
    **context: object,
) -> str | None:
    """Report, as a warning, an engine that took longer than its threshold; nothing when it did not."""
    reporter = _process.reporter
    if reporter is None or duration_ms <= threshold_ms:
        return None
    known = {
        **context,
        "engine": engine,
        "duration_ms": duration_ms,
        "threshold_ms": threshold_ms,
        "transaction_id": transaction_id,
    }
    return reporter.message("FDS engine over its threshold", "warning", known)


def add_breadcrumb(message: str, *, category: str = "app", level: str = "info", **data: object) -> None:
    """Keep a step that explains the next event of this request; alone it is never sent."""
    reporter = _process.reporter
    if reporter is not None:
        reporter.breadcrumb(message, category, level, data)


def add_fds_breadcrumb(
    message: str,
    *,
    transaction_id: str | None = None,
    engine: str | None = None,
    risk_score: float | None = None,
    **data: object,
) -> None:
    """A step of an evaluation."""
    reporter = _process.reporter
    if reporter is not None:
        known = {**data, "transaction_id": transaction_id, "engine": engine, "risk_score": risk_score}
        reporter.breadcrumb(message, "fds", "info", known)


_NO_TRANSACTION = NoTransaction()


def start_transaction(name: str, *, op: str = "task", **context: object) -> Transaction:
    """Time a piece of work under its OpenTelemetry trace's id, when there is one.

    For jobs, not for each request: those have spans already, and events share one queue.
    """
    reporter = _process.reporter
    return _NO_TRANSACTION if reporter is None else reporter.transaction(name, op, context)
