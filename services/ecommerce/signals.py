"""Every metric, log event and span of ecommerce, declared once; one fact becomes its signals here."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final, Literal
from uuid import UUID

from services.ecommerce.activity import ActiveUsers, HitRatio
from services.ecommerce.domain import (
    ORDER_STATUSES,
    PAYMENT_METHODS,
    PAYMENT_STATUSES,
    STAGES,
    OrderStatus,
    Outcome,
    Purchase,
    RiskLevel,
    Stage,
    Verdict,
    first_order_status,
)
from services.ecommerce.ports import Settled, StoreUnavailableError
from telemetry.logs import get_logger
from telemetry.masking import hash_user_id
from telemetry.metrics import Metrics
from telemetry.request_metrics import RequestMetricNames
from telemetry.sentry import capture_exception_with_context
from telemetry.traces import Span, span

ErrorType = Literal["internal", "database", "pool", "overload"]
CacheOperation = Literal["get", "set"]

REQUEST_NAMES: Final = RequestMetricNames(
    requests="ecommerce_http_requests_total",
    duration="ecommerce_http_request_duration_seconds",
    in_progress="ecommerce_http_requests_in_progress",
    status="status_code",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.5, 0.8, 1.0, 2.0, 5.0),
)
"""0.2 is the target of P95; 0.8 is one call to the database given up."""
STAGE_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.8, 1.0, 2.0)
FDS_BUCKETS: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 1.0)
"""0.1 is what fds promises; 0.4 is the time limit."""

RISK: Final[Mapping[RiskLevel, str]] = {
    "low": "low_risk", "medium": "medium_risk", "high": "high_risk", "blocked": "high_risk",
}  # fmt: skip
TRANSACTION_OF: Final = {"completed": "completed", "pending": "pending", "failed": "declined"}
ERROR_TYPES: Final[tuple[ErrorType, ...]] = ("internal", "database", "pool", "overload")
ENDPOINTS: Final = (
    "/api/v1/products", "/api/v1/products/search", "/api/v1/products/{product_id}",
    "/api/v1/users/register", "/api/v1/users/login", "/api/v1/users/me",
    "/api/v1/cart", "/api/v1/cart/items/{product_id}", "/api/v1/checkout",
    "/api/v1/orders", "/api/v1/orders/{order_id}", "/api/v1/orders/{order_id}/status",
    "/api/v1/payments/{payment_id}/confirm", "unknown",
)  # fmt: skip
QUIET_SECONDS: Final = 10.0
"""What stays broken is told once in this time; counters say how often."""

ORDER_PLACED: Final = "Order placed"
PAYMENT_COMPLETED: Final = "Payment completed"
PAYMENT_PENDING: Final = "Payment pending"
PAYMENT_DECLINED: Final = "Payment declined"
ORDERS_MOVED: Final = "Orders moved"
REGISTERED: Final = "User registered"
LOGGED_IN: Final = "User logged in"
LOGIN_FAILED: Final = "User log-in failed"
CACHE_UNAVAILABLE: Final = "Cache unavailable"
FDS_UNAVAILABLE: Final = "FDS unavailable"
FDS_BACK: Final = "FDS answers again"
STORE_UNAVAILABLE: Final = "Database unavailable"
PREPARED: Final = "Shop ready"
WORKER_FAILED: Final = "Order worker failed"
_PAYMENT_EVENT: Final = {
    "completed": PAYMENT_COMPLETED, "pending": PAYMENT_PENDING, "failed": PAYMENT_DECLINED,
}  # fmt: skip


class Signals:
    """The service's metrics and log events; one per process. It is Witness of GuardedFraud."""

    def __init__(self, metrics: Metrics, *, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._log = get_logger("shop")
        self._quiet_until: dict[str, float] = {}
        self._untold: dict[str, int] = {}
        self._users, self._ratio = ActiveUsers(clock=clock), HitRatio(clock=clock)
        self._declare_purchases(metrics)
        self._declare_users(metrics)
        self._declare_peers(metrics)
        metrics.before_expose(self._read_gauges)

    def _declare_purchases(self, metrics: Metrics) -> None:
        self.errors = metrics.counter(
            "ecommerce_errors_total", "Requests answered with 5xx, by cause", ("error_type", "endpoint")
        )
        self.transactions = metrics.counter(
            "ecommerce_transactions_total", "Check-outs by how they ended at once", ("status",)
        )
        self.transaction_amount = metrics.counter(
            "ecommerce_transaction_amount_total", "KRW of check-outs that were decided, however"
        )
        self.stages = metrics.histogram(
            "ecommerce_transaction_processing_duration_seconds",
            "Time of each stage of a check-out, in seconds",
            ("stage",),
            buckets=STAGE_BUCKETS,
        )
        self.orders = metrics.counter("ecommerce_orders_total", "Orders that came into a state", ("status",))
        self.order_items = metrics.counter("ecommerce_order_items_total", "Pieces in accepted orders")
        self.payments = metrics.counter(
            "ecommerce_payments_total", "Payments that came into a state", ("status", "payment_method")
        )
        self.payment_amount = metrics.counter("ecommerce_payment_amount_total", "KRW of completed payments")
        self.errors.preset(*((kind, place) for kind in ERROR_TYPES for place in ENDPOINTS))
        self.transactions.preset(*((status,) for status in (*TRANSACTION_OF.values(), "error")))
        self.stages.preset(*((stage,) for stage in STAGES))
        self.orders.preset(*((status,) for status in ORDER_STATUSES))
        self.payments.preset(*((status, way) for status in PAYMENT_STATUSES for way in PAYMENT_METHODS))
        for counter in (self.transaction_amount, self.order_items, self.payment_amount):
            counter.preset(())

    def _declare_users(self, metrics: Metrics) -> None:
        self.registrations = metrics.counter("ecommerce_user_registrations_total", "Users registered")
        self.logins = metrics.counter("ecommerce_user_logins_total", "Log-ins by result", ("result",))
        self.active_users = metrics.gauge(
            "ecommerce_active_users", "Distinct users and guests seen in the last five minutes"
        )
        self.registrations.preset(())
        self.logins.preset(("success",), ("failed",))
        self.active_users.preset(())

    def _declare_peers(self, metrics: Metrics) -> None:
        self.cache = metrics.counter(
            "ecommerce_cache_operations_total", "Operations on the cache", ("operation", "result")
        )
        self.hit_ratio = metrics.gauge(
            "ecommerce_cache_hit_ratio",
            "Hits by look-ups of the last five minutes; absent below 20 look-ups",
            across_workers="latest",
        )
        self.evaluations = metrics.counter(
            "ecommerce_fds_evaluations_total", "Payments evaluated by fds, by its result", ("result",)
        )
        self.evaluation_duration = metrics.histogram(
            "ecommerce_fds_evaluation_duration_seconds",
            "Time until fds answered or was given up, in seconds",
            buckets=FDS_BUCKETS,
        )
        self.fallbacks = metrics.counter(
            "ecommerce_fds_fallbacks_total",
            "Payments decided without fds, by what became of them",
            ("policy",),
        )
        self.cache.preset(("get", "hit"), ("get", "miss"), ("get", "error"), ("set", "ok"), ("set", "error"))
        self.evaluations.preset(*((result,) for result in dict.fromkeys(RISK.values())))
        self.evaluation_duration.preset(())
        self.fallbacks.preset(("completed",), ("pending",))

    def _read_gauges(self) -> None:
        self.active_users.set(self._users.count())
        ratio = self._ratio.ratio()
        if ratio is None:
            self.hit_ratio.remove()
        else:
            self.hit_ratio.set(ratio)

    @contextmanager
    def checkout(self, buyer: UUID) -> Iterator[Span]:
        """Span a check-out."""
        with span("ecommerce.checkout", user_id=hash_user_id(buyer)) as current:
            yield current

    @contextmanager
    def stage(self, name: Stage) -> Iterator[Span]:
        """Span and time one stage of a check-out."""
        begun = self._clock()
        with span(f"ecommerce.{name}") as current:
            try:
                yield current
            finally:
                self.stages.observe(self._clock() - begun, name)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Time a question to fds."""
        begun = self._clock()
        try:
            yield
        finally:
            self.evaluation_duration.observe(self._clock() - begun)

    def evaluated(self, verdict: Verdict) -> None:
        """fds gave its verdict."""
        self.evaluations.add(1, RISK[verdict.level])

    def placed(self, purchase: Purchase) -> None:
        """A purchase was committed, by this process and for the first time."""
        outcome, amount = purchase.outcome, purchase.amount
        self.transactions.add(1, TRANSACTION_OF[outcome.status])
        self.transaction_amount.add(amount)
        status = first_order_status(outcome)
        self.orders.add(1, status)
        if purchase.verdict is None:
            self.fallbacks.add(1, outcome.status)
        if status != "cancelled":
            self.order_items.add(purchase.items)
            self._log.info(
                ORDER_PLACED,
                order_id=str(purchase.order_id),
                payment_id=str(purchase.payment_id),
                amount=amount,
                items=purchase.items,
                order_status=status,
            )
        self._paid(
            outcome,
            method=purchase.method,
            amount=amount,
            order_id=purchase.order_id,
            payment_id=purchase.payment_id,
            risk_level=purchase.verdict.level if purchase.verdict else None,
        )

    def settled(self, event: Settled) -> None:
        """A payment that was pending is so no more, or for another reason."""
        if event.outcome.status == "pending":
            return
        if event.order_status == "cancelled":
            self.orders.add(1, event.order_status)
        self._paid(
            event.outcome,
            method=event.method,
            amount=event.amount,
            order_id=event.order_id,
            payment_id=event.payment_id,
            risk_level=event.risk_level,
            user_id=str(event.buyer),
        )

    def _paid(
        self,
        outcome: Outcome,
        *,
        method: str,
        amount: int,
        risk_level: RiskLevel | None,
        **fields: object,
    ) -> None:
        self.payments.add(1, outcome.status, method)
        if outcome.status == "completed":
            self.payment_amount.add(amount)
        said = {key: str(value) for key, value in fields.items()}
        write = self._log.warning if outcome.status == "failed" else self._log.info
        write(
            _PAYMENT_EVENT[outcome.status],
            **said,
            amount=amount,
            payment_method=method,
            reason=outcome.reason,
            risk_level=risk_level,
        )

    def checkout_failed(self) -> None:
        """A check-out ended in an error of ours."""
        self.transactions.add(1, "error")

    def moved(self, counts: Mapping[OrderStatus, int]) -> None:
        """The worker moved orders."""
        for status, count in counts.items():
            self.orders.add(count, status)
        if counts:
            self._log.info(ORDERS_MOVED, **dict(counts))

    def seen(self, user: UUID) -> None:
        """A user or guest did something."""
        self._users.touch(user)

    def registered(self) -> None:
        """A user registered."""
        self.registrations.add(1)
        self._log.info(REGISTERED)

    def logged_in(self) -> None:
        """A user logged in."""
        self.logins.add(1, "success")
        self._log.info(LOGGED_IN)

    def login_failed(self) -> None:
        """Somebody did not."""
        self.logins.add(1, "failed")
        self._log.warning(LOGIN_FAILED)

    def looked_up(self, *, hit: bool) -> None:
        """The cache answered."""
        self.cache.add(1, "get", "hit" if hit else "miss")
        self._ratio.looked(hit=hit)

    def cached(self) -> None:
        """The cache took something."""
        self.cache.add(1, "set", "ok")

    def cache_failed(self, operation: CacheOperation, error: BaseException) -> None:
        """The cache could not be used; a read counts as a miss."""
        self.cache.add(1, operation, "error")
        if operation == "get":
            self._ratio.looked(hit=False)
        self._seldom(CACHE_UNAVAILABLE, error)

    def fds_missed(self, error: BaseException, evaluation: Mapping[str, object] | None = None) -> None:
        """A payment was decided without fds; `evaluation` is what fds was asked."""
        self._seldom(FDS_UNAVAILABLE, error)
        asked = evaluation or {}
        capture_exception_with_context(
            error,
            level="warning",
            transaction_id=asked.get("transaction_id"),
            order_amount=asked.get("amount"),
            payment_method=asked.get("payment_method"),
            user_id=asked.get("user_id"),
        )

    def fds_back(self) -> None:
        """fds answers, for the first time after it did not."""
        self._log.info(FDS_BACK)

    def failed(self, kind: ErrorType, endpoint: str) -> None:
        """A request is answered with 5xx."""
        self.errors.add(1, kind, endpoint)

    def store_missed(self, error: StoreUnavailableError) -> None:
        """PostgreSQL could not be used."""
        self._seldom(STORE_UNAVAILABLE, error)

    def worker_failed(self, error: Exception) -> None:
        """The worker met something that nobody expected; it goes on."""
        self._log.error(WORKER_FAILED, exc=error)
        capture_exception_with_context(error)

    def prepared(self) -> None:
        """Schema and seed data are there."""
        self._log.info(PREPARED)

    def _seldom(self, message: str, error: BaseException) -> None:
        now = self._clock()
        if now < self._quiet_until.get(message, float("-inf")):
            self._untold[message] = self._untold.get(message, 0) + 1
            return
        self._log.warning(message, reason=str(error)[:200], suppressed=self._untold.pop(message, 0))
        self._quiet_until[message] = now + QUIET_SECONDS
