"""What one looks at when fraud detection is slow, fails, or is wrong about payments."""

from firedrill.dashboards.board import Board, Variable, logs_link, traces_link
from firedrill.dashboards.limits import alert_limit, objective_limit, watched
from firedrill.dashboards.parts import Query
from firedrill.dashboards.theme import Tile, gauge, graph, pie, runbook, stat

SYSTEM = "shopfds"
OWN = 'instance=~"$instance"'
PRECISION_TARGET = 0.9
"""Below 0.8 the alert fires; 0.9 is what the model is meant to reach."""


def dashboards() -> list[Board]:
    """FDS Performance."""
    return [
        Board(
            uid="fds-performance",
            title="FDS Performance",
            folder=SYSTEM,
            description="Fraud detection: latency against its 100 ms, volume, errors, engines and quality.",
            system=SYSTEM,
            rows=[
                [_evaluation_time(), *_counts()],
                [_latency(), _engines()],
                [_quality(), _levels()],
            ],
            variables=[Variable("instance", "instance", "fds_evaluations_total", "Instance")],
            links=[logs_link('{service="fds"}'), traces_link("fds")],
        )
    ]


def _quantile(share: float) -> str:
    buckets = f"fds_evaluation_duration_seconds_bucket{{{OWN}}}"
    return f"histogram_quantile({share}, sum by (le) (rate({buckets}[$__rate_interval])))"


def _evaluation_time() -> Tile:
    limit = objective_limit("fds-latency")
    return gauge(
        "Evaluation time P95",
        "95 of 100 evaluations take at most this long; 100 ms are promised.",
        [Query(_quantile(0.95), "P95")],
        unit="s",
        width=6,
        limit=limit,
        most=2 * limit.value,
        links=runbook("fds", "FDSLatencySLOBurnFast", "FDSLatencySLOBurnSlow"),
    )


def _counts() -> list[Tile]:
    failed = f'http_requests_total{{job="fds-service", status=~"5..", {OWN}}}'
    return [
        stat(
            "Transactions per minute",
            "Payments that were evaluated, a minute.",
            [Query(f"sum(rate(fds_evaluations_total{{{OWN}}}[$__rate_interval])) * 60", "transactions")],
            unit="short",
            width=6,
            decimals=1,
        ),
        stat(
            "SLA violations",
            "Evaluations over 100 ms in the last five minutes, on all instances: what the alert compares.",
            [Query(watched("FDSSLAViolation", SYSTEM), "violations")],
            unit="short",
            width=6,
            decimals=0,
            limit=alert_limit("FDSSLAViolation", SYSTEM, counted=True),
            links=runbook("fds", "FDSSLAViolation"),
        ),
        stat(
            "Errors per minute",
            "Requests that fds answered with a server error, a minute.",
            [Query(f"sum(rate({failed}[$__rate_interval])) * 60 or vector(0)", "errors")],
            unit="short",
            width=6,
            decimals=1,
        ),
    ]


def _latency() -> Tile:
    return graph(
        "Latency P50, P95, P99",
        "How long evaluations take; the line is what is promised.",
        [
            Query(_quantile(share), name, exemplars=name == "P99")
            for share, name in ((0.5, "P50"), (0.95, "P95"), (0.99, "P99"))
        ],
        unit="s",
        width=12,
        limit=objective_limit("fds-latency"),
        links=runbook("fds", "FDSLatencySLOBurnFast", "FDSSLAViolation"),
    )


def _engines() -> Tile:
    name = "fds_engine_breakdown_seconds"
    total, count = (
        f"sum by (engine) (rate({name}_{part}{{{OWN}}}[$__rate_interval]))" for part in ("sum", "count")
    )
    return graph(
        "Mean time per engine",
        "How long each engine takes on average: the one that makes evaluations slow stands out.",
        [Query(f"{total} / {count}", "{{engine}}")],
        unit="s",
        width=12,
        links=runbook("fds", "FDSSLAViolation"),
    )


def _quality() -> Tile:
    return graph(
        "Precision, recall, F1",
        "Over the last 200 payments whose truth is known; nothing below 50. The line is the alert's limit of "
        "precision.",
        [
            Query(f"fds_precision{{{OWN}}}", "precision"),
            Query(f"fds_recall{{{OWN}}}", "recall"),
            Query(f"fds_f1_score{{{OWN}}}", "F1"),
        ],
        unit="percentunit",
        width=16,
        limit=alert_limit("FDSPrecisionDrop", SYSTEM, better=PRECISION_TARGET),
        links=runbook("fds", "FDSPrecisionDrop"),
    )


def _levels() -> Tile:
    levels = f"fds_risk_level_distribution_total{{{OWN}}}"
    return pie(
        "Risk level distribution",
        "How risky the evaluated payments were. Over the time shown.",
        Query(f"sum by (risk_level) (increase({levels}[$__range]))", "{{risk_level}}"),
        width=8,
        meaning=["low", "medium", "high", "blocked"],
    )
