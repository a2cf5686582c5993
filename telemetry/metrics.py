"""Metrics with cached label children, trace exemplars and one registry per service."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, TypeVar

import prometheus_client as prom
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

from telemetry.quantiles import Quantiles
from telemetry.series import CounterFamily, CounterSeries, HistogramFamily, HistogramSeries, Mark
from telemetry.spans import active_ids

Label = str | int | bool
AcrossWorkers = Literal["sum", "latest"]
P = TypeVar("P")
P_co = TypeVar("P_co", covariant=True)

MAX_SERIES = 2000
"""Series of one metric; beyond it label values that come from clients would fill the memory."""
OVERFLOW = "overflow"
_MAX_LABEL = 256
_MAX_ACCEPT = 1024
_MODES: dict[AcrossWorkers, Literal["livesum", "mostrecent"]] = {"sum": "livesum", "latest": "mostrecent"}


def active_mark() -> Mark | None:
    """Ids of the active span when it is sampled; an unsampled trace cannot be opened."""
    trace_id, span_id, flags = active_ids()
    return (trace_id, span_id) if flags & 1 and trace_id and span_id else None


class Parent(Protocol[P_co]):
    """Has children by label values."""

    def labels(self, *values: str) -> P_co:
        """The child of these values."""


class _Shared:
    """A metric of the client's own, which several workers share; it counts without exemplars."""

    def __init__(self, metric: Any) -> None:
        self._metric = metric

    def labels(self, *values: str) -> Any:
        """See Parent."""
        return self._metric.labels(*values) if values else self._metric


class _Children(Generic[P]):
    """The children of a metric, kept by label values as they were given."""

    def __init__(self, parent: Parent[P], name: str, labels: Sequence[str]) -> None:
        self._parent = parent
        self._name = name
        self._labels = tuple(labels)
        self._children: dict[tuple[Label, ...], P] = {}

    def get(self, values: tuple[Label, ...]) -> P:
        """The child of these values, in declared order; ValueError for a wrong number of them.

        When a metric has MAX_SERIES series, new label values all share the series `overflow`.
        """
        child = self._children.get(values)
        return child if child is not None else self._new(values)

    def forget(self, values: tuple[Label, ...]) -> list[str] | None:
        """Forget a child; its label values as they are exposed, or None when there was none."""
        return None if self._children.pop(values, None) is None else [_clean(value) for value in values]

    def _new(self, values: tuple[Label, ...]) -> P:
        if len(values) != len(self._labels):
            raise ValueError(f"{self._name} has the labels {self._labels}, but got {values}")
        if len(self._children) >= MAX_SERIES:
            return self._parent.labels(*(OVERFLOW for _ in values))
        child = self._children[values] = self._parent.labels(*map(_clean, values))
        return child


def _clean(value: Label) -> str:
    """A label value that can be exposed: lone surrogates would break every later exposition."""
    return str(value)[:_MAX_LABEL].encode("utf-8", "replace").decode("utf-8")


class Counter:
    """A total that only grows."""

    def __init__(
        self, parent: Parent[CounterSeries], name: str, labels: Sequence[str], *, marked: bool = True
    ) -> None:
        self.series = _Children(parent, name, labels).get
        self._marked = marked
        if not labels:
            self.series(())

    def add(self, amount: float = 1, *values: Label) -> None:
        """Add `amount` (at least 0) to the series of these label values."""
        self.series(values).inc(amount, active_mark() if self._marked else None)

    def preset(self, *series: Sequence[Label]) -> None:
        """Begin these series at 0."""
        for values in series or ((),):
            self.series(tuple(values))


class Histogram:
    """Counts of values by bucket."""

    def __init__(
        self, parent: Parent[HistogramSeries], name: str, labels: Sequence[str], *, marked: bool = True
    ) -> None:
        self.series = _Children(parent, name, labels).get
        self._marked = marked
        if not labels:
            self.series(())

    def observe(self, value: float, *values: Label) -> None:
        """Count `value` in the series of these label values."""
        self.series(values).observe(value, active_mark() if self._marked else None)

    def preset(self, *series: Sequence[Label]) -> None:
        """Begin these series at 0."""
        for values in series or ((),):
            self.series(tuple(values))


class Gauge:
    """A value that goes up and down; a gauge without labels has no sample before it is first set."""

    def __init__(
        self,
        make: Callable[[], prom.Gauge],
        registry: prom.CollectorRegistry,
        labels: Sequence[str],
        *,
        several_workers: bool,
    ) -> None:
        self._make = make
        self._registry = registry
        self._several_workers = several_workers
        self._lock = threading.Lock()
        if labels:
            self._parent = make()
        self._labelled = _Children(self._parent, "gauge", labels) if labels else None
        self._single: prom.Gauge | None = None

    def set(self, value: float, *values: Label) -> None:
        """Set the series of these label values."""
        self.series(values).set(value)

    def add(self, amount: float = 1, *values: Label) -> None:
        """Add `amount`, which may be negative; a series that does not exist yet begins at 0."""
        self.series(values).inc(amount)

    def remove(self, *values: Label) -> None:
        """Take the series of these label values away; with several workers it becomes 0 instead."""
        if self._several_workers:
            self.series(values).set(0)
            return
        with self._lock:
            if self._labelled is not None:
                if (exposed := self._labelled.forget(values)) is not None:
                    self._parent.remove(*exposed)
            elif self._single is not None:
                self._registry.unregister(self._single)
                self._single = None

    def preset(self, *series: Sequence[Label]) -> None:
        """Begin these series at 0."""
        for values in series or ((),):
            self.series(tuple(values))

    def series(self, values: tuple[Label, ...]) -> prom.Gauge:
        """The series of these label values."""
        if self._labelled is not None:
            return self._labelled.get(values)
        if values:
            raise ValueError(f"this gauge has no labels, but got {values}")
        if self._single is None:
            with self._lock:
                if self._single is None:
                    self._single = self._make()
                return self._single
        return self._single


class Metrics:
    """The metrics of one service: declare them once, then expose them.

    With `multiprocess_dir` (PROMETHEUS_MULTIPROC_DIR, set before Python starts) several workers
    write to that folder and any of them exposes the sum; the client then has neither exemplars,
    nor process metrics, nor quantiles.
    """

    def __init__(self, *, multiprocess_dir: Path | None = None) -> None:
        prom.disable_created_metrics()  # type: ignore[no-untyped-call]  # the client is partly typed
        self.registry = prom.CollectorRegistry()
        self._multiprocess_dir = multiprocess_dir
        self.marked = multiprocess_dir is None
        """Whether exemplars are kept."""
        self._before: list[Callable[[], None]] = []
        self._names: set[str] = set()
        if multiprocess_dir is None:
            prom.ProcessCollector(registry=self.registry)
            prom.PlatformCollector(registry=self.registry)
            prom.GCCollector(registry=self.registry)
        self._unread = self.counter("telemetry_gauge_reads_failed_total", "Gauges that could not be read.")

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:
        """A counter; its name must end in _total, as it is exposed. ValueError otherwise."""
        if not name.endswith("_total"):
            raise ValueError(f"{name} is a counter, so its name must end in _total")
        self._claim(name)
        if self._multiprocess_dir is not None:
            return Counter(
                _Shared(prom.Counter(name, help, labels, registry=self.registry)), name, labels, marked=False
            )
        family = CounterFamily(name, help, labels)
        self.registry.register(family)
        return Counter(family, name, labels)

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float]
    ) -> Histogram:
        """A histogram with these upper bounds; +Inf is added."""
        self._claim(name)
        if self._multiprocess_dir is not None:
            shared = prom.Histogram(name, help, labels, registry=self.registry, buckets=tuple(buckets))
            return Histogram(_Shared(shared), name, labels, marked=False)
        family = HistogramFamily(name, help, labels, buckets)
        self.registry.register(family)
        return Histogram(family, name, labels)

    def gauge(
        self, name: str, help: str, labels: Sequence[str] = (), *, across_workers: AcrossWorkers = "sum"
    ) -> Gauge:
        """A gauge; `across_workers` says what several workers' values mean together.

        `latest` gauges can only be set, not added to, when there are several workers.
        """
        self._claim(name)
        mode = _MODES[across_workers]

        def make() -> prom.Gauge:
            return prom.Gauge(name, help, labels, registry=self.registry, multiprocess_mode=mode)

        several = self._multiprocess_dir is not None
        return Gauge(make, self.registry, labels, several_workers=several)

    def quantiles(
        self,
        name: str,
        help: str,
        *,
        quantiles: Sequence[float] = (0.5, 0.9, 0.95, 0.99),
        window_seconds: float = 60.0,
        capacity: int = 4096,
    ) -> Quantiles:
        """Quantiles of what was observed in the last `window_seconds`."""
        self._claim(name)
        made = Quantiles(name, help, quantiles=quantiles, window_seconds=window_seconds, capacity=capacity)
        self.registry.register(made)
        return made

    def before_expose(self, read: Callable[[], None]) -> None:
        """Call `read` before each exposition (on another thread), to set gauges that are read then."""
        self._before.append(read)

    def expose(self, accept: str | None) -> tuple[bytes, str]:
        """Every metric as text, and its content type: OpenMetrics (with exemplars) when asked for."""
        for read in self._before:
            try:
                read()
            except Exception:  # a gauge that cannot be read must not hide all others
                self._unread.add(1)
        try:
            encoder, content_type = choose_encoder((accept or "")[:_MAX_ACCEPT])
        except (ValueError, TypeError):  # an Accept header with a version that is none
            encoder, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return encoder(self._readable()), content_type

    def close(self) -> None:
        """Withdraw this worker's share of summed gauges."""
        if self._multiprocess_dir is not None:
            mark_process_dead(os.getpid(), path=str(self._multiprocess_dir))  # type: ignore[no-untyped-call]

    def _readable(self) -> prom.CollectorRegistry:
        if self._multiprocess_dir is None:
            return self.registry
        _forget_dead_workers(self._multiprocess_dir)
        together = prom.CollectorRegistry()
        MultiProcessCollector(together, path=str(self._multiprocess_dir))  # type: ignore[no-untyped-call]
        return together

    def _claim(self, name: str) -> None:
        if name in self._names:
            raise ValueError(f"{name} is declared twice: keep the first object and use it again")
        self._names.add(name)


def _forget_dead_workers(folder: Path) -> None:
    """A killed worker leaves its gauges behind; nobody else takes them away."""
    for file in folder.glob("gauge_live*.db"):
        pid = file.stem.rpartition("_")[2]
        if not pid.isdigit():
            continue
        try:
            os.kill(int(pid), 0)
        except ProcessLookupError:
            with contextlib.suppress(FileNotFoundError):
                file.unlink()
        except PermissionError:
            continue  # alive, and another user's
