"""What one looks at when workflow instances fail, wait, or meet an open breaker."""

from firedrill.dashboards.board import Board, Variable, logs_link, traces_link
from firedrill.dashboards.limits import alert_limit
from firedrill.dashboards.parts import Query
from firedrill.dashboards.theme import Tile, graph, runbook, stat

SYSTEM = "ai-factory"
ENDED = 'workflow_instances_total{tenant_id=~"$tenant"}'
FAILED = 'workflow_instances_total{tenant_id=~"$tenant", status="failed"}'


def dashboards() -> list[Board]:
    """Workflow Status."""
    return [
        Board(
            uid="workflow-status",
            title="Workflow Status",
            folder=SYSTEM,
            description="Workflow instances: how many end, how they end, how long they take; and breakers.",
            system=SYSTEM,
            rows=[_figures(), [_outcomes(), _durations()], [_node_failures(), _breakers()]],
            variables=[Variable("tenant", "tenant_id", "workflow_instances_total", "Tenant")],
            links=[logs_link('{service="workflow"}'), traces_link("workflow")],
        )
    ]


def _figures() -> list[Tile]:
    return [
        stat(
            "Instances per minute",
            "Workflow instances that ended, a minute.",
            [Query(f"sum(rate({ENDED}[$__rate_interval])) * 60", "instances")],
            unit="short",
            width=6,
            decimals=1,
        ),
        stat(
            "Failed instances",
            "Share of the instances that ended, and failed.",
            [
                Query(
                    f"sum(rate({FAILED}[$__rate_interval])) / sum(rate({ENDED}[$__rate_interval]))", "failed"
                )
            ],
            unit="percentunit",
            width=6,
            decimals=1,
            limit=alert_limit("WorkflowHighFailureRate", SYSTEM),
            links=runbook("workflow", "WorkflowHighFailureRate"),
        ),
        stat(
            "Breakers not closed",
            "Circuit breakers that have left closed and not come back: what the alert compares.",
            [Query("sum(instance_node_id:circuit_breakers_away_from_closed:sum)", "breakers")],
            unit="short",
            width=6,
            decimals=0,
            limit=alert_limit("CircuitBreakerOpen", SYSTEM, counted=True),
            links=runbook("workflow", "CircuitBreakerOpen"),
        ),
        stat(
            "Active instances",
            "Instances that have not ended: running now, or waiting for a timer or a worker.",
            [Query('sum by (status) (workflow_instances_active{tenant_id=~"$tenant"})', "{{status}}")],
            unit="short",
            width=6,
            decimals=0,
        ),
    ]


def _outcomes() -> Tile:
    return graph(
        "Instances by outcome",
        "Instances that ended, a minute, by workflow and how they ended.",
        [
            Query(
                f"sum by (workflow_id, status) (rate({ENDED}[$__rate_interval])) * 60",
                "{{workflow_id}} {{status}}",
            )
        ],
        unit="short",
        width=12,
        stacked=True,
    )


def _durations() -> Tile:
    buckets = 'workflow_duration_seconds_bucket{tenant_id=~"$tenant"}'
    return graph(
        "Duration P95",
        "95 of 100 instances end within this time, waits included; by workflow.",
        [
            Query(
                f"histogram_quantile(0.95, sum by (le, workflow_id) (rate({buckets}[$__rate_interval])))",
                "{{workflow_id}}",
                exemplars=True,
            )
        ],
        unit="s",
        width=12,
    )


def _node_failures() -> Tile:
    failures = 'workflow_node_failures_total{tenant_id=~"$tenant"}'
    return graph(
        "Node failures",
        "Nodes whose peer gave no result, a minute, by kind; those that a fallback saved included.",
        [Query(f"sum by (node_type) (rate({failures}[$__rate_interval])) * 60", "{{node_type}}")],
        unit="short",
        width=12,
        links=runbook("workflow", "WorkflowHighFailureRate"),
    )


def _breakers() -> Tile:
    moves = "circuit_breaker_state_changes_total"
    return graph(
        "Circuit breaker changes",
        "Breakers that changed their state, by the new one. Each node with a peer has a breaker; log lines "
        "say which it was.",
        [Query(f"sum by (to_state) (increase({moves}[$__rate_interval]))", "{{to_state}}")],
        unit="short",
        width=12,
        bars=True,
        meaning=["closed", "half_open", "open"],
        links=runbook("workflow", "CircuitBreakerOpen"),
    )
