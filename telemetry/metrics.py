"""Metrics with cached label children, trace exemplars and one registry per service."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Generic, Literal, TypeVar

import prometheus_client as prom
from opentelemetry.trace import get_current_span
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, choose_encoder, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from telemetry.quantiles import Quantiles

Label = str | int | bool
AcrossWorkers = Literal["sum", "latest"]
P = TypeVar("P", prom.Counter, prom.Gauge, prom.Histogram)

_MULTIPROCESS_MODES: dict[AcrossWorkers, Literal["livesum", "mostrecent"]] = {
    "sum": "livesum",
    "latest": "mostrecent",
}
_MAX_ACCEPT = 1024


def _exemplar() -> dict[str, str] | None:
    """Ids of the active span when it is sampled; an unsampled trace cannot be opened."""
    context = get_current_span().get_span_context()
    if not context.trace_flags & 1 or not context.is_valid:
        return None
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


class _Family(Generic[P]):
    """A metric and its children, kept by label values as given."""

    def __init__(self, parent: P, labels: Sequence[str]) -> None:
        self._parent = parent
        self._labelled = bool(labels)
        self._children: dict[tuple[Label, ...], P] = {} if labels else {(): parent}

    def child(self, values: tuple[Label, ...]) -> P:
        """The child of these label values, in declared order; ValueError for a wrong number of them."""
        child = self._children.get(values)
        if child is None:
            if not self._labelled:
                raise ValueError(f"{self._parent} has no labels, but got {values}")
            child = self._children[values] = self._parent.labels(*values)
        return child

    def preset(self, *series: Sequence[Label]) -> None:
        """Begin these series at 0."""
        for values in series or ((),):
            self.child(tuple(values))


class Counter(_Family[prom.Counter]):
    """A total that only grows."""

    def add(self, amount: float = 1, *values: Label) -> None:
        """Add `amount` (at least 0) to the series of these label values."""
        self.child(values).inc(amount, _exemplar())


class Histogram(_Family[prom.Histogram]):
    """Counts of values by bucket."""

    def observe(self, value: float, *values: Label) -> None:
        """Count `value` in the series of these label values."""
        self.child(values).observe(value, _exemplar())


class Gauge:
    """A value that goes up and down; it has no sample before it is first set."""

    def __init__(self, make: Callable[[], prom.Gauge], forget: Callable[[prom.Gauge], None], *, labelled: bool):
        self._make = make
        self._forget = forget
        self._labelled = labelled
        self._lock = threading.Lock()
        self._parent: prom.Gauge | None = make() if labelled else None
        self._children: dict[tuple[Label, ...], prom.Gauge] = {}

    def set(self, value: float, *values: Label) -> None:
        """Set the series of these label values."""
        self._child(values).set(value)

    def add(self, amount: float = 1, *values: Label) -> None:
        """Add `amount`, which may be negative; a series that does not exist yet begins at 0."""
        self._child(values).inc(amount)

    def remove(self, *values: Label) -> None:
        """Take the series of these label values away; nothing happens when there is none."""
        with self._lock:
            child = self._children.pop(values, None)
            if child is None:
                return
            if self._labelled and self._parent is not None:
                self._parent.remove(*values)
            else:
                self._forget(child)

    def preset(self, *series: Sequence[Label]) -> None:
        """Begin these series at 0."""
        for values in series or ((),):
            self._child(tuple(values))

    def _child(self, values: tuple[Label, ...]) -> prom.Gauge:
        child = self._children.get(values)
        return child if child is not None else self._new(values)

    def _new(self, values: tuple[Label, ...]) -> prom.Gauge:
        with self._lock:
            if values not in self._children:
                if self._parent is not None:
                    self._children[values] = self._parent.labels(*values)
                elif values:
                    raise ValueError(f"this gauge has no labels, but got {values}")
                else:
                    self._children[values] = self._make()
            return self._children[values]


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
        self._before: list[Callable[[], None]] = []
        self._names: set[str] = set()
        if multiprocess_dir is None:
            prom.ProcessCollector(registry=self.registry)
            prom.PlatformCollector(registry=self.registry)
            prom.GCCollector(registry=self.registry)

    def counter(self, name: str, help: str, labels: Sequence[str] = ()) -> Counter:  # noqa: A002
        """A counter; its name must end in _total, as it is exposed. ValueError otherwise."""
        if not name.endswith("_total"):
            raise ValueError(f"{name} is a counter, so its name must end in _total")
        self._claim(name)
        return Counter(prom.Counter(name, help, labels, registry=self.registry), labels)

    def histogram(
        self, name: str, help: str, labels: Sequence[str] = (), *, buckets: Sequence[float]  # noqa: A002
    ) -> Histogram:
        """A histogram with these upper bounds; +Inf is added."""
        self._claim(name)
        parent = prom.Histogram(name, help, labels, registry=self.registry, buckets=tuple(buckets))
        return Histogram(parent, labels)

    def gauge(
        self, name: str, help: str, labels: Sequence[str] = (), *, across_workers: AcrossWorkers = "sum"  # noqa: A002
    ) -> Gauge:
        """A gauge; `across_workers` says what several workers' values mean together."""
        self._claim(name)

        def make() -> prom.Gauge:
            mode = _MULTIPROCESS_MODES[across_workers]
            return prom.Gauge(name, help, labels, registry=self.registry, multiprocess_mode=mode)

        return Gauge(make, self.registry.unregister, labelled=bool(labels))

    def quantiles(
        self,
        name: str,
        help: str,  # noqa: A002
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
        """Call `read` before each exposition, to set gauges from something that is only asked then."""
        self._before.append(read)

    def expose(self, accept: str | None) -> tuple[bytes, str]:
        """Every metric as text, and its content type: OpenMetrics (with exemplars) when asked for."""
        for read in self._before:
            try:
                read()
            except Exception:  # a gauge that cannot be read must not hide all others
                self._failed_reads().add(1)
        registry = self.registry
        if self._multiprocess_dir is not None:
            registry = prom.CollectorRegistry()
            MultiProcessCollector(registry, path=str(self._multiprocess_dir))  # type: ignore[no-untyped-call]
        try:
            encoder, content_type = choose_encoder((accept or "")[:_MAX_ACCEPT])
        except ValueError:  # an Accept header with a version that is none
            encoder, content_type = generate_latest, CONTENT_TYPE_PLAIN_0_0_4
        return encoder(registry), content_type

    def _claim(self, name: str) -> None:
        if name in self._names:
            raise ValueError(f"{name} is declared twice: keep the first object and use it again")
        self._names.add(name)

    def _failed_reads(self) -> Counter:
        existing: Counter | None = getattr(self, "_failed", None)
        if existing is None:
            existing = self._failed = self.counter(
                "telemetry_gauge_reads_failed_total", "Gauges that could not be read before an exposition."
            )
        return existing
