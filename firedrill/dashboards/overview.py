"""The page that a newcomer lands on: systems, objectives with the budget left, what fires, and links."""

from .board import Board, Variable
from .limits import Limit, alert_limit
from .stack import SYSTEM, targets_down
from .theme import RUNBOOKS, Query, Tile, graph, link, logs, runbook, stat, table

FIRING = 'ALERTS{alertstate="firing", severity!="none"}'
REQUESTS = " or ".join(
    f"rate({name}[$__rate_interval])" for name in ("http_requests_total", "ecommerce_http_requests_total")
)
OTHER_BOARD = "stack-health"
BOARDS = {
    "judgment": "judgment-performance",
    "workflow": "workflow-status",
    "fds": "fds-performance",
    "ecommerce": "ecommerce-overview",
}
"""The dashboard of a service's alerts; those of the platform have the other one."""


def dashboards() -> list[Board]:
    """Firedrill."""
    return [
        Board(
            uid="firedrill-start",
            title="Firedrill",
            folder=SYSTEM,
            description="Start here: is anything wrong, in which system, and where to look next.",
            system="",
            rows=[
                [_firing(), targets_down(4), _faults(), _budgets()],
                [_alerts(), _burning()],
                [_systems(), _requests()],
                [_lines()],
            ],
            variables=[Variable("service", "service", None, "Service (log lines)")],
            links=[
                link("Runbooks and inbox", "http://127.0.0.1:8090/"),
                *(
                    link(uid, f"/d/{uid}", icon="dashboard", keep_time=True)
                    for uid in (*BOARDS.values(), OTHER_BOARD)
                ),
            ],
        )
    ]


def _firing() -> Tile:
    return stat(
        "Alerts firing",
        "Alerts that fire now; Watchdog, which always does, is not counted.",
        [Query(f"count({FIRING}) or vector(0)", "firing")],
        unit="short",
        width=4,
        decimals=0,
        limit=Limit(1),
    )


def _faults() -> Tile:
    return stat(
        "Faults set",
        "Faults that are set by hand or by a drill.",
        [Query("sum(fault_active)", "set")],
        unit="short",
        width=4,
        decimals=0,
        limit=Limit(1),
    )


def _budgets() -> Tile:
    return stat(
        "Error budget left",
        "Of the last 30 days, by objective: at 0 the promise is broken.",
        [Query("slo:error_budget_remaining:ratio30d", "{{slo}}")],
        unit="percentunit",
        width=12,
        decimals=1,
        limit=Limit(0, "below", 0.25),
        links=[*runbook("fds", "FDSLatencySLOBurnFast"), *runbook("ecommerce", "APILatencySLOBurnFast")],
    )


def _alerts() -> Tile:
    """Each alert with its slice, in which the runbook is, and its dashboard."""
    rows = f'label_replace({FIRING}, "slice", "$1", "service", "(.+)")'
    rows = f'label_replace({rows}, "slice", "platform", "system", "platform")'
    rows = f'label_replace({rows}, "dashboard", "{OTHER_BOARD}", "system", ".+")'
    for service, uid in BOARDS.items():
        rows = f'label_replace({rows}, "dashboard", "{uid}", "service", "{service}")'
    return table(
        "Firing now",
        "What fires, with a click on the alert to its runbook and on the dashboard to its graphs.",
        Query(rows),
        width=12,
        columns=["alertname", "severity", "system", "service", "slice", "dashboard"],
        cell_links=[
            ("alertname", link("Runbook", f"{RUNBOOKS}/${{__data.fields.slice}}/${{__value.text}}")),
            ("dashboard", link("Dashboard", "/d/${__value.text}", keep_time=True)),
        ],
        none="Nothing fires",
    )


def _burning() -> Tile:
    return graph(
        "Burn rate",
        "How many times as fast as allowed each objective uses up its budget, over the alert's long window; "
        "the line is where the critical alert begins.",
        [Query("slo:burn_rate:ratio1h", "{{slo}}")],
        unit="short",
        width=12,
        limit=alert_limit("FDSLatencySLOBurnFast", "shopfds"),
        links=runbook("ecommerce", "ErrorRateSLOBurnFast"),
    )


def _systems() -> Tile:
    return graph(
        "Targets up by system",
        "Share of each system's targets that answer.",
        [Query("avg by (system) (up)", "{{system}}")],
        unit="percentunit",
        width=12,
        links=runbook("platform", "TargetDown"),
    )


def _requests() -> Tile:
    return graph(
        "Requests by system",
        "Requests a second that the services of each system answer.",
        [Query(f"sum by (system) ({REQUESTS})", "{{system}}")],
        unit="reqps",
        width=12,
    )


def _lines() -> Tile:
    return logs(
        "Warnings and errors",
        "The newest lines that are worse than normal, of the chosen services; open one for its trace.",
        '{service=~"$service", level=~"WARNING|ERROR|CRITICAL"}'
        ' | json | line_format "{{.service}}: {{.message}}"',
        width=24,
    )
