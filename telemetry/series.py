"""Series of counters and histograms, with exemplars that become text only when they are exposed.

The client's own ones check an exemplar letter by letter each time, although the next request replaces it.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence

import prometheus_client as prom
from prometheus_client.metrics_core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

Mark = tuple[int, int]
"""Trace id and span id."""
_Kept = tuple[Mark, float, float]
"""A mark, the value that it stands for, and the time."""


def _exemplar(kept: _Kept | None) -> Exemplar | None:
    if kept is None:
        return None
    (trace_id, span_id), value, at = kept
    return Exemplar({"trace_id": f"{trace_id:032x}", "span_id": f"{span_id:016x}"}, value, at)


class CounterSeries:
    """One total."""

    __slots__ = ("_kept", "_lock", "_value")

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._value = 0.0
        self._kept: _Kept | None = None

    def inc(self, amount: float, mark: Mark | None, at: float | None = None) -> None:
        """Add, now or at a time in seconds since 1970; ValueError for a negative amount."""
        if amount < 0:
            raise ValueError(f"a counter only grows, but got {amount}")
        with self._lock:
            self._value += amount
        if mark is not None:
            self._kept = (mark, amount, time.time() if at is None else at)

    def read(self) -> tuple[float, Exemplar | None]:
        """The total and its latest exemplar."""
        return self._value, _exemplar(self._kept)


class HistogramSeries:
    """Counts by bucket."""

    __slots__ = ("_bounds", "_counts", "_kept", "_lock", "_sum")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._lock = threading.Lock()
        self._bounds = bounds
        self._counts = [0.0] * len(bounds)
        self._sum = 0.0
        self._kept: list[_Kept | None] = [None] * len(bounds)

    def observe(self, value: float, mark: Mark | None, at: float | None = None) -> None:
        """Count one value, of now or of `at`; NaN, which is in no bucket, is left out."""
        if value != value:  # noqa: PLR0124 - only NaN
            return
        bucket = bisect_left(self._bounds, value)
        with self._lock:
            self._counts[bucket] += 1
            self._sum += value
        if mark is not None:
            self._kept[bucket] = (mark, value, time.time() if at is None else at)

    def read(self) -> tuple[list[float], float, list[Exemplar | None]]:
        """Counts as they are (not cumulated), the sum, and the latest exemplar of each bucket."""
        with self._lock:
            counts, total = self._counts.copy(), self._sum
        return counts, total, [_exemplar(kept) for kept in self._kept]


class CounterFamily:
    """A counter with its series; a collector for the client's registry."""

    def __init__(self, name: str, help: str, labels: Sequence[str]) -> None:
        self._model = prom.Counter(name, help, labels, registry=None)  # checks names and labels
        self._about = (name, help)
        self._labels = tuple(labels)
        self._series: dict[tuple[str, ...], CounterSeries] = {}

    def labels(self, *values: str) -> CounterSeries:
        """The series of these values."""
        return self._series.setdefault(values, CounterSeries())

    def describe(self) -> Iterable[Metric]:
        """The names that are taken."""
        return self._model.describe()

    def collect(self) -> Iterable[Metric]:
        """Every series."""
        family = CounterMetricFamily(*self._about, labels=self._labels)
        for values, series in list(self._series.items()):
            value, exemplar = series.read()
            family.add_metric(values, value, exemplar=exemplar)
        return [family]


class HistogramFamily:
    """A histogram with its series; a collector for the client's registry."""

    def __init__(self, name: str, help: str, labels: Sequence[str], buckets: Sequence[float]) -> None:
        self._model = prom.Histogram(name, help, labels, registry=None, buckets=tuple(buckets))  # checks them
        bounds = [float(bound) for bound in buckets]
        if bounds[-1] != float("inf"):
            bounds.append(float("inf"))
        self._about = (name, help)
        self._labels = tuple(labels)
        self._bounds = tuple(bounds)
        self._edges = [floatToGoString(bound) for bound in bounds]  # type: ignore[no-untyped-call]
        self._series: dict[tuple[str, ...], HistogramSeries] = {}

    def labels(self, *values: str) -> HistogramSeries:
        """The series of these values."""
        return self._series.setdefault(values, HistogramSeries(self._bounds))

    def describe(self) -> Iterable[Metric]:
        """The names that are taken."""
        return self._model.describe()

    def collect(self) -> Iterable[Metric]:
        """Every series."""
        family = HistogramMetricFamily(*self._about, labels=self._labels)
        for values, series in list(self._series.items()):
            counts, total, exemplars = series.read()
            so_far = 0.0
            buckets: list[tuple[str, float] | tuple[str, float, Exemplar]] = []
            for edge, count, exemplar in zip(self._edges, counts, exemplars, strict=True):
                so_far += count
                buckets.append((edge, so_far) if exemplar is None else (edge, so_far, exemplar))
            family.add_metric(values, buckets, total)
            if self._bounds[0] < 0:  # there is no sum then, and the family leaves the count out too
                family.add_sample(
                    f"{family.name}_count", dict(zip(self._labels, values, strict=True)), so_far
                )
        return [family]
