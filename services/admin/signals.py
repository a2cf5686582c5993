"""Every metric, log event and span of admin, declared once; one fact becomes its signals here."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from services.admin.domain import DELIVERIES, KINDS, VERDICTS, Accepted, Delivery, Kept, Kind, Overview
from telemetry.logs import get_logger
from telemetry.metrics import Metrics
from telemetry.traces import Span, span

# From a minute, a good first line, over 8 hours, a shift, to a day.
WAIT_BUCKETS: Final = (1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 28_800.0, 86_400.0)
DELAY_BUCKETS: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0)
RESULTS: Final = tuple(one for one in DELIVERIES if one != "pending")
OPERATIONS: Final = ("intake", "delivery")
QUIET_SECONDS: Final = 10.0
"""What stays broken is told once in this time; counters say how often."""

ACCEPTED: Final = "Review accepted"
DELIVERED: Final = "Review delivered"
NOT_TAKEN: Final = "Review not taken by fds"
WAITING: Final = "Reviews wait for fds"
INTAKE_FAILED: Final = "Cases not taken in"
TAKEN_IN: Final = "Cases taken in"
STORE_FAILED: Final = "Review store unavailable"
BROKEN: Final = "Review worker failed"
PREPARED: Final = "Review store ready"


class Signals:
    """The service's metrics and log events; one per process. `clock` gives seconds."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._log = get_logger("admin")
        self._quiet_until: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self._declare_reviews(metrics)
        self._declare_delivery(metrics)

    def _declare_reviews(self, metrics: Metrics) -> None:
        self.reviews = metrics.counter("admin_reviews_total", "Reviews accepted, by verdict", ("verdict",))
        self.waits = metrics.histogram(
            "admin_review_duration_seconds",
            "Time from a case's arrival in the queue to its verdict, in seconds",
            buckets=WAIT_BUCKETS,
        )
        self.cases = metrics.counter(
            "admin_cases_total", "Cases that came into the queue, by kind", ("kind",)
        )
        self.queue = metrics.gauge(
            "admin_review_queue_length",
            "Cases that wait for a reviewer (absent while unknown)",
            across_workers="latest",
        )
        self.oldest = metrics.gauge(
            "admin_review_queue_oldest_seconds",
            "How long the longest waiting case has waited; 0 when none waits (absent while unknown)",
            across_workers="latest",
        )
        self.reviews.preset(*((verdict,) for verdict in VERDICTS))
        self.cases.preset(*((kind,) for kind in KINDS if kind != "reported"))
        self.waits.preset(())

    def _declare_delivery(self, metrics: Metrics) -> None:
        self.deliveries = metrics.counter(
            "admin_review_deliveries_total", "Reviews that fds was told, by what it made of them", ("result",)
        )
        self.delays = metrics.histogram(
            "admin_review_delivery_delay_seconds",
            "Time from accepting a review to telling fds, in seconds",
            buckets=DELAY_BUCKETS,
        )
        self.failures = metrics.counter(
            "admin_fds_failures_total", "Calls to fds that failed, by what they were for", ("operation",)
        )
        self.pending = metrics.gauge(
            "admin_review_delivery_pending",
            "Accepted reviews that fds does not know yet (absent while unknown)",
            across_workers="latest",
        )
        self.pending_age = metrics.gauge(
            "admin_review_delivery_oldest_seconds",
            "Age of the oldest review that fds does not know; 0 when there is none (absent while unknown)",
            across_workers="latest",
        )
        self.deliveries.preset(*((result,) for result in RESULTS))
        self.failures.preset(*((operation,) for operation in OPERATIONS))
        self.delays.preset(())

    # --- reviews ----------------------------------------------------------------------------------

    def reviewing(self, transaction_id: str, verdict: str) -> AbstractContextManager[Span]:
        """Span a review; the caller sets its kind."""
        return span("admin.review", transaction_id=transaction_id, verdict=verdict)

    def accepted(self, event: Accepted) -> None:
        """A verdict is stored, for the first time; called inside its span, for the exemplars."""
        kept = event.kept
        self.reviews.add(1, kept.review.verdict)
        if event.waited_seconds is not None:
            self.waits.observe(event.waited_seconds)
        waited = None if event.waited_seconds is None else round(event.waited_seconds, 1)
        self._log.info(
            ACCEPTED,
            transaction_id=kept.review.transaction_id,
            verdict=kept.review.verdict,
            reviewer=kept.review.reviewer,
            kind=kept.kind,
            waited_seconds=waited,
        )

    # --- the worker -------------------------------------------------------------------------------

    def intake(self) -> AbstractContextManager[Span]:
        """Span a round of taking in cases; the caller sets how many."""
        return span("admin.intake")

    def taken_in(self, new: Mapping[Kind, int]) -> None:
        """New cases are in the queue."""
        for kind, count in new.items():
            self.cases.add(count, kind)
        if sum(new.values()):
            self._log.info(TAKEN_IN, held=new.get("held", 0), spot_checks=new.get("spot_check", 0))

    def delivering(self, kept: Kept) -> AbstractContextManager[Span]:
        """Span the delivery of a review; the caller links it to the review's own trace."""
        return span("admin.deliver", transaction_id=kept.review.transaction_id, attempt=kept.attempts + 1)

    def delivered(self, kept: Kept, result: Delivery, delay_seconds: float) -> None:
        """fds has been told."""
        self.deliveries.add(1, result)
        self.delays.observe(delay_seconds)
        fields = {
            "transaction_id": kept.review.transaction_id,
            "verdict": kept.review.verdict,
            "result": result,
            "attempts": kept.attempts + 1,
            "delay_seconds": round(delay_seconds, 2),
        }
        if result == "delivered":
            self._log.info(DELIVERED, **fields)
        else:
            self._log.warning(NOT_TAKEN, **fields)

    def undelivered(self, error: BaseException, waiting: int) -> None:
        """fds could not be told; the reviews wait."""
        self.failures.add(1, "delivery")
        self._seldom(WAITING, reason=str(error)[:200], waiting=waiting)

    def intake_failed(self, error: BaseException) -> None:
        """fds could not be asked for cases."""
        self.failures.add(1, "intake")
        self._seldom(INTAKE_FAILED, reason=str(error)[:200])

    def overview(self, event: Overview) -> None:
        """Set the gauges."""
        self.queue.set(event.queue_length)
        self.oldest.set(event.oldest_case_seconds)
        self.pending.set(event.pending)
        self.pending_age.set(event.oldest_pending_seconds)

    def store_failed(self, error: BaseException) -> None:
        """What waits is not known now: better no value than an old one."""
        for gauge in (self.queue, self.oldest, self.pending, self.pending_age):
            gauge.remove()
        self._seldom(STORE_FAILED, reason=str(error)[:200])

    def broken(self, part: str, error: BaseException) -> None:
        """A part of the worker raised what nobody thought of; it goes on."""
        self._log.error(BROKEN, part=part, exc=error)

    def prepared(self) -> None:
        """The tables are there."""
        self._log.info(PREPARED)

    def unobserved(self) -> AbstractContextManager[object]:
        """No spans for what the worker looks up every second, whether or not there is anything."""
        return suppress_instrumentation()

    def _seldom(self, message: str, **fields: object) -> None:
        now = self._clock()
        if now < self._quiet_until.get(message, float("-inf")):
            self._untold[message] = self._untold.get(message, 0) + 1
            return
        self._log.warning(message, suppressed=self._untold.pop(message, 0), **fields)
        self._quiet_until[message] = now + QUIET_SECONDS
