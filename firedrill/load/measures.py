"""What Prometheus says about a run: latencies, transactions, and the processor time of each process."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import yaml

from firedrill.clients import Prometheus
from firedrill.pace import seconds
from firedrill.wait import TimedOut, poll_until

API_TARGET_SECONDS = 0.2
FDS_TARGET_SECONDS = 0.1

FDS_BUCKETS = "fds_evaluation_duration_seconds_bucket"
_NOT_PAGES = 'endpoint!~"/health.*|/metrics|/faults.*"'
SHOP = f"ecommerce_http_request_duration_seconds_bucket{{{_NOT_PAGES}}}"
NO_SHOP = f'http_request_duration_seconds_bucket{{job="fds-service",{_NOT_PAGES}}}'
SHOP_PAYMENTS = 'ecommerce_transactions_total{status!="error"}'  # check-outs that were decided
SHOP_ORDERS = 'ecommerce_transactions_total{status=~"completed|pending"}'  # of them, those that made an order
NO_SHOP_PAYMENTS = "fds_evaluations_total"
SHOP_PROCESSES = frozenset({"ecommerce", "fds", "ml", "admin", "redis"})


@dataclass(frozen=True)
class Processors:
    """Processor seconds of a window, by process; `machine` is the whole machine, None when not measured."""

    by_process: Mapping[str, float]
    machine: float | None
    cores: int
    window: float


class Meter(Protocol):
    """Where figures come from; times are unix seconds, windows seconds."""

    def api_p95(self, *, at: float, window: float) -> float | None: ...
    def fds_p95(self, *, at: float, window: float) -> float | None: ...
    def payments(self, *, at: float, window: float) -> float | None: ...
    def orders(self, *, at: float, window: float) -> float | None: ...
    def processors(self, *, at: float, window: float) -> Processors: ...
    def settle(self, moment: float) -> bool: ...


class PrometheusMeter:
    """The Meter of a running stack; `started` are its services."""

    def __init__(self, prometheus: Prometheus, *, started: Collection[str]) -> None:
        self._prometheus = prometheus
        self.shop = "ecommerce" in started

    def api_p95(self, *, at: float, window: float) -> float | None:
        """P95 of the shop's API in seconds; without the shop, of the fds API."""
        return self._p95(SHOP if self.shop else NO_SHOP, at, window)

    def fds_p95(self, *, at: float, window: float) -> float | None:
        """P95 of fraud evaluations in seconds."""
        return self._p95(FDS_BUCKETS, at, window)

    def payments(self, *, at: float, window: float) -> float | None:
        """Payments decided; without the shop, evaluations."""
        return self._increase(SHOP_PAYMENTS if self.shop else NO_SHOP_PAYMENTS, at, window)

    def orders(self, *, at: float, window: float) -> float | None:
        """Orders accepted; without the shop, evaluations."""
        return self._increase(SHOP_ORDERS if self.shop else NO_SHOP_PAYMENTS, at, window)

    def processors(self, *, at: float, window: float) -> Processors:
        """Processor seconds of the window by process, as far as each tells them (PostgreSQL does not)."""
        span = f"[{window:.0f}s]"
        # One family at a time: increase() drops the name, and Go's Collector family has one of its own.
        queries = {
            "instance": [
                f"sum by (instance) (increase({name}{span}))"
                for name in (
                    "process_cpu_seconds_total",
                    "otelcol_process_cpu_seconds_total",
                    "otelcol_process_cpu_seconds",
                )
            ],
            "redis": [
                f"sum(increase(redis_cpu_sys_seconds_total{span}))"
                f" + sum(increase(redis_cpu_user_seconds_total{span}))"
            ],
        }
        found: dict[str, float] = {}
        for label, texts in queries.items():
            for text in texts:
                for one in self._prometheus.query(text, at=at).series:
                    found.setdefault(one.labels.get("instance", label), one.points[-1][1])
        busy = f'sum(increase(node_cpu_seconds_total{{mode!~"idle|iowait|steal"}}{span}))'
        cores = self._prometheus.query('count(count by (cpu) (node_cpu_seconds_total{mode="idle"}))', at=at)
        machine = self._prometheus.query(busy, at=at).total()
        return Processors(found, machine, int(cores.total() or 0), window)

    def settle(self, moment: float) -> bool:
        """Wait until Prometheus has scraped its targets after `moment`; False when that takes too long."""
        config = yaml.safe_load(self._prometheus.get("/api/v1/status/config")["data"]["yaml"])
        interval = seconds(str(config["global"]["scrape_interval"]))
        try:
            poll_until(lambda: self._all_after(moment), "every target scraped", 2 * interval + 5)
        except TimedOut:
            return False
        return True

    def _all_after(self, moment: float) -> bool:
        return all(one.scraped > moment for one in self._prometheus.targets() if one.health == "up")

    def _p95(self, buckets: str, at: float, window: float) -> float | None:
        name, brace, rest = buckets.partition("{")
        text = f"histogram_quantile(0.95, sum by (le) (increase({name}{brace}{rest}[{window:.0f}s])))"
        return self._number(text, at)

    def _increase(self, selector: str, at: float, window: float) -> float | None:
        return self._number(f"sum(increase({selector}[{window:.0f}s]))", at)

    def _number(self, promql: str, at: float) -> float | None:
        found = self._prometheus.query(promql, at=at).total()
        return None if found is None or math.isnan(found) else found  # NaN: no event in the window
