"""What one looks at to know whether the shop sells, and how fast it answers."""

from firedrill.dashboards.board import Board, Variable, logs_link, traces_link
from firedrill.dashboards.limits import Limit, objective_limit
from firedrill.dashboards.parts import Query
from firedrill.dashboards.theme import Tile, gauge, graph, pie, runbook, stat

SYSTEM = "shopfds"
OWN = 'instance=~"$instance"'
CACHE_TARGET = Limit(0.8, "below")
"""The shop's own goal; no alert is set on it."""


def dashboards() -> list[Board]:
    """Ecommerce Overview."""
    return [
        Board(
            uid="ecommerce-overview",
            title="Ecommerce Overview",
            folder=SYSTEM,
            description="The shop: what it sells, to how many, how fast it answers, and what fds says.",
            system=SYSTEM,
            rows=[
                [*_sales(), _latency(), _cache()],
                [_requests(), _orders()],
                [_risks(), _payments()],
            ],
            variables=[Variable("instance", "instance", "ecommerce_active_users", "Instance")],
            links=[logs_link('{service="ecommerce"}'), traces_link("ecommerce")],
        )
    ]


def _per_second(metric: str, by: str = "", matchers: str = "") -> str:
    where = f"{matchers}, {OWN}" if matchers else OWN
    group = f" by ({by})" if by else ""
    return f"sum{group} (rate({metric}{{{where}}}[$__rate_interval]))".replace("sum (", "sum(")


def _sales() -> list[Tile]:
    return [
        stat(
            "Transactions per minute",
            "Check-outs a minute, however they ended.",
            [Query(f"{_per_second('ecommerce_transactions_total')} * 60", "transactions")],
            unit="short",
            width=5,
            decimals=1,
        ),
        stat(
            "Revenue per hour",
            "Completed payments in KRW, at the present rate.",
            [Query(f"{_per_second('ecommerce_payment_amount_total')} * 3600", "revenue")],
            unit="currencyKRW",
            width=5,
            decimals=0,
        ),
        stat(
            "Active users",
            "Distinct users and guests of the last five minutes.",
            [Query(f"sum(ecommerce_active_users{{{OWN}}})", "users")],
            unit="short",
            width=4,
            decimals=0,
        ),
    ]


def _latency() -> Tile:
    rates = _per_second("ecommerce_http_request_duration_seconds_bucket", by="le")
    return stat(
        "API P95",
        "95 of 100 requests are answered within this time; 200 ms are promised.",
        [Query(f"histogram_quantile(0.95, {rates})", "P95")],
        unit="s",
        width=5,
        limit=objective_limit("api-latency"),
        links=runbook("ecommerce", "APILatencySLOBurnFast", "APILatencySLOBurnSlow"),
    )


def _cache() -> Tile:
    return gauge(
        "Cache hit rate",
        "Look-ups of the last five minutes that found an answer; the goal is 80%. Nothing below 20 look-ups.",
        [Query(f"avg(ecommerce_cache_hit_ratio{{{OWN}}})", "hits")],
        unit="percentunit",
        width=5,
        limit=CACHE_TARGET,
        most=1,
    )


def _requests() -> Tile:
    requests = "ecommerce_http_requests_total"
    classes = [
        Query(f"""{_per_second(requests, matchers=f'status_code=~"{one}.."')} or vector(0)""", f"{one}xx")
        for one in (2, 4, 5)
    ]
    return graph(
        "Requests by status class",
        "Requests a second by the class of their answer: 2xx, 4xx, 5xx.",
        classes,
        unit="reqps",
        width=12,
        meaning=["2xx", "4xx", "5xx"],
        links=runbook("ecommerce", "HighErrorRate", "ErrorRateSLOBurnFast"),
    )


def _orders() -> Tile:
    return graph(
        "Orders by status",
        "Orders that came into a state, a minute.",
        [Query(f"{_per_second('ecommerce_orders_total', by='status')} * 60", "{{status}}")],
        unit="short",
        width=12,
    )


def _risks() -> Tile:
    return graph(
        "FDS results by risk",
        "Payments a minute by what fds said of them.",
        [Query(f"{_per_second('ecommerce_fds_evaluations_total', by='result')} * 60", "{{result}}")],
        unit="short",
        width=16,
        stacked=True,
        meaning=["low_risk", "medium_risk", "high_risk"],
    )


def _payments() -> Tile:
    return pie(
        "Payment status",
        "How payments ended. Over the time shown.",
        Query(f"sum by (status) (increase(ecommerce_payments_total{{{OWN}}}[$__range]))", "{{status}}"),
        width=8,
        meaning=["completed", "pending", "failed"],
    )
