"""Hears every signal of one test: metric values, log lines and finished spans."""

import json
from collections.abc import Mapping, Sequence

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from telemetry.app import Telemetry
from telemetry.settings import TelemetrySettings


class Recorder:
    """Telemetry that ends in memory."""

    def __init__(self) -> None:
        self._spans = InMemorySpanExporter()
        self._lines: list[bytes] = []
        settings = TelemetrySettings(service="judgment", system="ai-factory")
        self.telemetry = Telemetry.start(settings, exporter=self._spans, sinks=[self])
        self.metrics = self.telemetry.metrics

    def write(self, lines: Sequence[bytes]) -> None:
        """Take log lines, as a sink."""
        self._lines.extend(lines)

    def close(self) -> None:
        """Nothing is held, as a sink."""

    def stop(self) -> None:
        """End the threads behind it."""
        self.telemetry.shutdown()

    @property
    def logs(self) -> list[dict[str, object]]:
        """The log lines so far."""
        assert self.telemetry.flush()
        return [json.loads(line) for line in self._lines]

    @property
    def spans(self) -> list[ReadableSpan]:
        """The spans that have ended, in the order in which they did."""
        assert self.telemetry.flush()
        return list(self._spans.get_finished_spans())

    def value(self, name: str, **labels: str) -> float | None:
        """The value of one series, or None."""
        return self.metrics.registry.get_sample_value(name, labels)

    def moved(self, name: str) -> Mapping[tuple[str, ...], float]:
        """The series of a metric that are not 0, by label values in the order of label names."""
        return {
            tuple(sample.labels[key] for key in sorted(sample.labels)): sample.value
            for family in self.metrics.registry.collect()
            for sample in family.samples
            if sample.name == name and sample.value
        }
