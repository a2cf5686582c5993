"""What one looks at when judgment is slow, fails or costs too much."""

from firedrill.dashboards.board import Board, Variable, logs_link, traces_link
from firedrill.dashboards.limits import alert_limit
from firedrill.dashboards.parts import Query
from firedrill.dashboards.theme import Tile, graph, pie, runbook, stat

SYSTEM = "ai-factory"
EXECUTIONS = 'judgment_executions_total{tenant_id=~"$tenant"}'
FAILED = 'judgment_executions_total{tenant_id=~"$tenant", status="error"}'
BUCKETS = 'judgment_duration_seconds_bucket{tenant_id=~"$tenant"}'


def dashboards() -> list[Board]:
    """Judgment Service Performance."""
    return [
        Board(
            uid="judgment-performance",
            title="Judgment Service Performance",
            folder=SYSTEM,
            description="Rates, latency, errors, cache and cost of judgment executions.",
            system=SYSTEM,
            rows=[_figures(), [_latency(), _errors(), _methods()]],
            variables=[Variable("tenant", "tenant_id", "judgment_executions_total", "Tenant")],
            links=[logs_link('{service="judgment"}'), traces_link("judgment")],
        )
    ]


def _figures() -> list[Tile]:
    return [
        stat(
            "Requests per second",
            "Judgment executions a second, failed ones included.",
            [Query(f"sum(rate({EXECUTIONS}[$__rate_interval]))", "executions")],
            unit="reqps",
            width=8,
        ),
        stat(
            "Cache hit rate",
            "Look-ups that found an answer, over ten minutes and all tenants: what the alert compares.",
            [Query("judgment:judgment_cache_hits:ratio10m", "hits")],
            unit="percentunit",
            width=8,
            decimals=1,
            limit=alert_limit("JudgmentLowCacheHitRate", SYSTEM),
            links=runbook("judgment", "JudgmentLowCacheHitRate"),
        ),
        stat(
            "LLM cost per day",
            "What the calls of language models cost in the last 24 hours.",
            [Query('sum(increase(llm_cost_usd_total{tenant_id=~"$tenant"}[1d]))', "cost")],
            unit="currencyUSD",
            width=8,
            decimals=2,
            limit=alert_limit("LLMCostBudgetExceeded", SYSTEM),
            links=runbook("judgment", "LLMCostBudgetExceeded"),
        ),
    ]


def _latency() -> Tile:
    rates = f"sum by (le) (rate({BUCKETS}[$__rate_interval]))"
    quantiles = [
        Query(f"histogram_quantile({share}, {rates})", name, exemplars=name == "P99")
        for share, name in ((0.5, "P50"), (0.95, "P95"), (0.99, "P99"))
    ]
    slowest = Query("max(workflow_id:judgment_duration_seconds:p95_5m)", "P95 of the slowest workflow, 5 m")
    return graph(
        "Latency P50, P95, P99",
        "How long executions take. The alert compares the P95 of each workflow, over all tenants; "
        "the line is its limit.",
        [*quantiles, slowest],
        unit="s",
        width=10,
        limit=alert_limit("JudgmentHighLatency", SYSTEM),
        links=runbook("judgment", "JudgmentHighLatency"),
    )


def _errors() -> Tile:
    return graph(
        "Error rate",
        "Share of executions that end in an error.",
        [
            Query(
                f"sum(rate({FAILED}[$__rate_interval])) / sum(rate({EXECUTIONS}[$__rate_interval]))", "errors"
            )
        ],
        unit="percentunit",
        width=8,
        meaning=["errors"],
        limit=alert_limit("JudgmentHighErrorRate", SYSTEM),
        links=runbook("judgment", "JudgmentHighErrorRate"),
    )


def _methods() -> Tile:
    return pie(
        "Method distribution",
        "What decided: rules, a language model, both, or the cache. Over the time shown.",
        Query(f"sum by (method) (increase({EXECUTIONS}[$__range]))", "{{method}}"),
        width=6,
    )
