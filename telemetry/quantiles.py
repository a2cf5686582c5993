"""Quantiles over a real sliding window, which the Python client's Summary does not have."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from prometheus_client.core import SummaryMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


class Quantiles(Collector):
    """The last `capacity` values of the last `window_seconds`, exposed as a summary.

    Each quantile is the nearest-rank one: a value that was really observed. Without a value in the
    window there is no quantile sample, so that an idle service shows nothing rather than zero.
    """

    def __init__(
        self,
        name: str,
        help: str,
        *,
        quantiles: Sequence[float],
        window_seconds: float,
        capacity: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if any(not 0 <= quantile <= 1 for quantile in quantiles):
            raise ValueError(f"{name}: quantiles lie between 0 and 1, not {quantiles}")
        self._name = name
        self._help = help
        self._quantiles = tuple(quantiles)
        self._window = window_seconds
        self._clock = clock
        self._values: deque[tuple[float, float]] = deque(maxlen=capacity)
        self._lock = threading.Lock()
        self._count = 0
        self._sum = 0.0

    def observe(self, value: float) -> None:
        """Add one value."""
        with self._lock:
            self._values.append((self._clock(), value))
            self._count += 1
            self._sum += value

    def collect(self) -> Iterable[Metric]:
        """The summary family, as the registry asks for it."""
        oldest = self._clock() - self._window
        with self._lock:
            while self._values and self._values[0][0] < oldest:
                self._values.popleft()
            values = sorted(value for _, value in self._values)
            count, total = self._count, self._sum
        family = SummaryMetricFamily(self._name, self._help)
        if values:
            for quantile in self._quantiles:
                rank = max(0, math.ceil(quantile * len(values)) - 1)
                family.add_sample(self._name, {"quantile": repr(float(quantile))}, values[rank])
        family.add_sample(f"{self._name}_count", {}, count)
        family.add_sample(f"{self._name}_sum", {}, total)
        return [family]
