"""sentry-sdk, set up so that it patches nothing, collects nothing by itself and sends nothing unmasked."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, TypeVar

import sentry_sdk
from opentelemetry.trace import get_current_span

from telemetry.masking import hash_user_id, mask_pair, mask_text
from telemetry.scope import fields_of_the_moment
from telemetry.sentry import CONTEXT_KEYS, Level, NoTransaction, SentrySettings, Transaction
from telemetry.sentry_masking import LEVELS, masked_breadcrumb, masked_event, with_trace
from telemetry.sentry_transport import DROP_REASONS, QueuedTransport

if TYPE_CHECKING:
    from sentry_sdk.types import Breadcrumb, BreadcrumbHint, Event, Hint

    from telemetry.metrics import Metrics

BURST: Final = 50
PER_SECOND: Final = 2.0
"""Events of one process: a service that fails at every request must not pay for each with a report
(about a millisecond, and ten of the inbox's), and nobody reads the hundredth of a minute."""

TAGS: Final[tuple[str, ...]] = ("engine", "transaction_id", "payment_method")
_BOUND_TAGS: Final[tuple[str, ...]] = ("request_id", "tenant_id")
_REPORTED: Final = "_sentry_reported"
T = TypeVar("T")


class Allowance:
    """BURST events at once, and PER_SECOND from then on."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._left = float(BURST)
        self._at = clock()

    def any_left(self) -> bool:
        """Whether `take` would succeed."""
        now = self._clock()
        self._left = min(float(BURST), self._left + (now - self._at) * PER_SECOND)
        self._at = now
        return self._left >= 1.0

    def take(self) -> bool:
        """Use one up; False when there is none."""
        if not self.any_left():
            return False
        self._left -= 1.0
        return True


class SentryReporter:
    """The reporter of a process with a DSN; ValueError and the like for one that cannot be used."""

    def __init__(
        self, settings: SentrySettings, metrics: Metrics, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        sent = metrics.counter("telemetry_events_sent_total", "Error events that Sentry took.")
        dropped = metrics.counter(
            "telemetry_events_dropped_total", "Error events that were lost, by reason.", ("reason",)
        )
        sent.preset()
        dropped.preset(*((reason,) for reason in DROP_REASONS))
        self._dropped: Callable[[str, int], None] = lambda reason, count: dropped.add(count, reason)
        self._allowance = Allowance(clock=clock)
        self._transport = QueuedTransport(settings.dsn, sent=sent.add, dropped=self._dropped)
        self._service = settings.service
        try:
            self._start(settings)
        except BaseException:
            self._transport.kill()
            raise

    def _start(self, settings: SentrySettings) -> None:
        sentry_sdk.init(
            dsn=settings.dsn,
            environment=settings.environment,
            release=f"{settings.service}@{settings.version}",
            traces_sample_rate=settings.traces_sample_rate,
            transport=self._transport,
            before_send=self._before_send,
            before_send_transaction=self._before_send,
            before_breadcrumb=self._before_breadcrumb,
            # Integrations would log our lines a second time as events, double the spans, and put
            # their own headers beside traceparent, and their own entries into W3C baggage.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[],
            propagate_traces=False,
            trace_propagation_targets=[],
            # Locals hold names and addresses that no pattern knows, and their repr() is foreign code
            # in the middle of a request; source lines are read from the disk there. File, line and
            # release lead to both. send_default_pii is deprecated; left out it is False.
            include_local_variables=False,
            include_source_context=False,
            max_breadcrumbs=50,
            max_request_body_size="never",
            spotlight=False,  # it would send everything, unmasked, wherever SENTRY_SPOTLIGHT says
            debug=False,
            send_client_reports=False,  # telemetry_events_dropped_total tells
            auto_session_tracking=False,
            enable_backpressure_handling=False,  # a thread more, for a queue that is bounded anyway
        )

    def exception(self, error: BaseException, level: Level, context: Mapping[str, object]) -> str | None:
        """See telemetry.sentry.Reporter."""
        if getattr(error, _REPORTED, False):
            return None

        def capture(scope: sentry_sdk.Scope) -> str | None:
            event_id = scope.capture_exception(error)
            if event_id is not None:
                _remember(error)
            return event_id

        return self._capture(capture, level, context)

    def message(self, text: str, level: Level, context: Mapping[str, object]) -> str | None:
        """See telemetry.sentry.Reporter."""

        def capture(scope: sentry_sdk.Scope) -> str | None:
            # Sentry joins what has one fingerprint to one issue: here, one for each engine.
            scope.fingerprint = [text, str(context.get("engine") or "")]
            return scope.capture_message(text, level)

        return self._capture(capture, level, context)

    def breadcrumb(self, message: str, category: str, level: str, data: Mapping[str, object]) -> None:
        """See telemetry.sentry.Reporter."""

        def keep() -> None:
            known = {key: value for key, value in data.items() if value is not None}
            sentry_sdk.add_breadcrumb(message=message, category=category, level=level, data=known)

        self._safely(keep)

    def transaction(self, name: str, op: str, context: Mapping[str, object]) -> Transaction:
        """See telemetry.sentry.Reporter."""

        def begin() -> Transaction:
            begun = sentry_sdk.start_transaction(name=mask_text(name), op=op, **_parent())
            for key, value in context.items():
                if value is not None:
                    begun.set_data(key, mask_pair(key, value))
            begun.set_tag("service", self._service)
            return begun

        return self._safely(begin) or NoTransaction()

    @contextmanager
    def request(self) -> Iterator[None]:
        """See telemetry.sentry.Reporter."""
        with sentry_sdk.isolation_scope() as scope:
            scope.clear_breadcrumbs()  # the fork begins with those of the process
            yield

    def close(self, timeout_seconds: float) -> None:
        """See telemetry.sentry.Reporter."""
        client = sentry_sdk.get_client()
        self._transport.flush(timeout_seconds)
        self._transport.kill()
        if client.transport is self._transport:
            client.close(timeout=0.0)
            sentry_sdk.get_global_scope().set_client(None)
            sentry_sdk.get_isolation_scope().clear()

    def _capture(
        self,
        capture: Callable[[sentry_sdk.Scope], str | None],
        level: Level,
        context: Mapping[str, object],
    ) -> str | None:
        if level not in LEVELS:
            return None
        if not self._allowance.any_left():  # before the work of making an event
            self._dropped("throttled", 1)
            return None

        def run() -> str | None:
            with sentry_sdk.new_scope() as scope:
                scope.set_level(level)
                self._describe(scope, context)
                return capture(scope)

        return self._safely(run)

    def _describe(self, scope: sentry_sdk.Scope, context: Mapping[str, object]) -> None:
        bound = fields_of_the_moment()
        found = {key: value for key, value in context.items() if value is not None}
        user_id = found.pop("user_id", bound.get("user_id"))
        if user_id is not None:
            scope.set_user({"id": hash_user_id(user_id)})
        tags: dict[str, object] = {"service": self._service}
        tags.update((key, bound[key]) for key in _BOUND_TAGS if key in bound)
        tags.update((key, found[key]) for key in TAGS if key in found)
        for key, value in tags.items():
            scope.set_tag(key, str(mask_pair(key, value))[:200])
        payment: dict[str, object] = {
            key: mask_pair(key, found.pop(key)) for key in CONTEXT_KEYS if key in found
        }
        if payment:
            scope.set_context("payment", payment)
        for key, value in found.items():  # masked now: the SDK shortens what is nested to its repr()
            scope.set_extra(key, mask_pair(key, value))

    def _before_send(self, event: Event, hint: Hint) -> Event | None:
        """The last look at an event or transaction; also at those that others make with sentry_sdk."""
        is_transaction = event.get("type") == "transaction"
        if not is_transaction and event.get("level", "error") not in LEVELS:
            return None
        if not self._allowance.take():
            self._dropped("throttled", 1)
            return None

        def mask() -> Any:
            masked = masked_event(event)
            return masked if is_transaction else with_trace(masked)

        masked: Event | None = self._safely(mask)
        return masked

    def _before_breadcrumb(self, breadcrumb: Breadcrumb, hint: BreadcrumbHint) -> Breadcrumb | None:
        return self._safely(lambda: masked_breadcrumb(breadcrumb))

    def _safely(self, work: Callable[[], T]) -> T | None:
        """Reporting fails alone: neither the caller nor Sentry hears of it, the counter does."""
        try:
            return work()
        except Exception:
            self._dropped("failed", 1)
            return None


def _remember(error: BaseException) -> None:
    """Mark an exception as reported: it may pass here again on its way up."""
    try:
        setattr(error, _REPORTED, True)
    except AttributeError:  # a type with slots: it may be reported twice
        return


def _parent() -> dict[str, Any]:
    context = get_current_span().get_span_context()
    if not context.is_valid:
        return {}
    return {"trace_id": f"{context.trace_id:032x}", "parent_span_id": f"{context.span_id:016x}"}
