"""The stack's own health: targets, ingestion, lag, dropped data, memory and CPU by component."""

from .board import Board, Variable
from .limits import Limit
from .parts import Query
from .theme import Tile, graph, runbook, stat

SYSTEM = "platform"
JOB = 'job=~"$component"'
RATE = "[$__rate_interval]"
DROPPED = (
    ("telemetry_log_lines_dropped_total", "log lines in services"),
    ("telemetry_spans_dropped_total", "spans in services"),
    ("promtail_dropped_entries_total", "log lines in Promtail"),
    ('otelcol_exporter_send_failed_log_records{job="log-collector"}', "log lines in the log collector"),
    ("loki_discarded_samples_total", "log lines in Loki"),
    ('otelcol_receiver_refused_spans{job="collector"}', "spans refused by the Collector"),
    ('otelcol_exporter_enqueue_failed_spans{job="collector"}', "spans lost by the Collector"),
    ("prometheus_notifications_dropped_total", "alerts in Prometheus"),
    ("alertmanager_notifications_failed_total", "notifications in Alertmanager"),
)


def dashboards() -> list[Board]:
    """Stack."""
    return [
        Board(
            uid="stack-health",
            title="Stack",
            folder=SYSTEM,
            description="Whether the stack itself works: what it takes in, how far it lags, what it loses.",
            system=SYSTEM,
            rows=[_figures(), [_logs(), _dropped()], [_lag(), _waiting()], [_memory(), _processor()]],
            variables=[Variable("component", "job", "up", "Component")],
        )
    ]


def _figures() -> list[Tile]:
    return [
        stat(
            "Targets down",
            "Scrape targets that do not answer.",
            [Query("count(up == 0) or vector(0)", "down")],
            unit="short",
            width=6,
            decimals=0,
            limit=Limit(1),
            links=runbook("platform", "TargetDown"),
        ),
        stat(
            "Samples per second",
            "Samples of metrics that Prometheus stores, a second.",
            [Query(f"sum(rate(prometheus_tsdb_head_samples_appended_total{RATE}))", "samples")],
            unit="short",
            width=6,
        ),
        stat(
            "Log lines per second",
            "Log lines that Loki receives, a second.",
            [Query(f"sum(rate(loki_distributor_lines_received_total{RATE}))", "lines")],
            unit="short",
            width=6,
            decimals=1,
            links=runbook("platform", "LogPipelineStalled"),
        ),
        stat(
            "Spans per second",
            "Spans that the Collector has sent to the trace backends, a second; each backend counts.",
            [Query(f'sum(rate(otelcol_exporter_sent_spans{{job="collector"}}{RATE}))', "spans")],
            unit="short",
            width=6,
            decimals=1,
            links=runbook("platform", "TracePipelineStalled"),
        ),
    ]


def _logs() -> Tile:
    return graph(
        "Requests and log lines",
        "Each request leaves at least one line: requests without lines fire LogPipelineStalled. These are "
        "the values that the alert compares, over its own window.",
        [
            Query("platform:requests_logged:increase1m", "requests answered"),
            Query("platform:log_lines_received:increase1m", "lines in Loki"),
        ],
        unit="short",
        width=12,
        links=runbook("platform", "LogPipelineStalled"),
    )


def _dropped() -> Tile:
    return graph(
        "Dropped data",
        "What was lost on its way, a minute. All of it stays at 0.",
        [Query(f"sum(rate({metric}{RATE})) * 60 or vector(0)", place) for metric, place in DROPPED],
        unit="short",
        width=12,
        links=runbook("platform", "TracePipelineStalled"),
    )


def _lag() -> Tile:
    evaluated = "time() - prometheus_rule_group_last_evaluation_timestamp_seconds"
    return graph(
        "Lag",
        "Time since the rule group that was evaluated longest ago, the slowest scrape, and how long alerts "
        "take from Prometheus to Alertmanager.",
        [
            Query(f"max({evaluated})", "since the last evaluation"),
            Query("max(scrape_duration_seconds)", "slowest scrape"),
            Query('max(prometheus_notifications_latency_seconds{quantile="0.9"})', "alerts sent, P90"),
        ],
        unit="s",
        width=12,
    )


def _waiting() -> Tile:
    return graph(
        "Waiting",
        "What waits in queues: spans for the trace backends, alerts for Alertmanager, chunks to be written.",
        [
            Query(
                'sum by (exporter) (otelcol_exporter_queue_size{job="collector", data_type="traces"})',
                "spans for {{exporter}}",
            ),
            Query("sum(prometheus_notifications_queue_length)", "alerts"),
            Query("sum(loki_ingester_flush_queue_length)", "chunks of logs"),
        ],
        unit="short",
        width=12,
        links=runbook("platform", "TracePipelineStalled"),
    )


def _memory() -> Tile:
    names = (
        "process_resident_memory_bytes",
        "otelcol_process_memory_rss",
        "otelcol_process_memory_rss_bytes",
    )
    parts = " or ".join(f"{name}{{{JOB}}}" for name in names)
    return graph(
        "Memory",
        "Resident memory by component. The Collector and Jaeger count theirs under names of their own.",
        [Query(f"sum by (job) ({parts})", "{{job}}")],
        unit="bytes",
        width=12,
    )


def _processor() -> Tile:
    names = ("process_cpu_seconds_total", "otelcol_process_cpu_seconds", "otelcol_process_cpu_seconds_total")
    parts = " or ".join(f"rate({name}{{{JOB}}}{RATE})" for name in names)
    return graph(
        "CPU",
        "Processor cores in use by component.",
        [Query(f"sum by (job) ({parts})", "{{job}}")],
        unit="short",
        width=12,
    )
