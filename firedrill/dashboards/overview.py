"""The page that a newcomer lands on: systems, objectives with the budget left, what fires, and links."""

from .board import Board, Variable
from .limits import Limit, alert_limit
from .parts import Query
from .theme import RUNBOOKS, Tile, graph, link, logs, runbook, stat, table

FIRING = 'ALERTS{alertstate="firing", severity!="none"}'
SYSTEM = "platform"
COUNTERS = {"http_requests_total": "status", "ecommerce_http_requests_total": "status_code"}
"""Each counter of requests, with its label of the answer's status."""
REQUESTS = " or ".join(f"rate({name}[$__rate_interval])" for name in COUNTERS)
FAILURES = " or ".join(
    f'rate({name}{{{label}=~"5.."}}[$__rate_interval])' for name, label in COUNTERS.items()
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
                [_firing(), _faults(), _systems(), _budgets()],
                [_alerts(), _burning()],
                [_requests(), _failures()],
                [_lines()],
            ],
            variables=[Variable("service", "service", None, "Service (log lines)")],
            links=[
                link("Runbooks and inbox", "http://127.0.0.1:8090/"),
                *(
                    link(name.capitalize(), f"/d/{uid}", icon="dashboard", keep_time=True)
                    for name, uid in [*BOARDS.items(), ("stack", OTHER_BOARD)]
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
        width=9,
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
        columns=["alertname", "severity", "system", "service", "dashboard", "slice"],
        hidden=["slice"],
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
    return stat(
        "Targets up by system",
        "Share of each system's scrape targets that answer.",
        [Query("avg by (system) (up)", "{{system}}")],
        unit="percentunit",
        width=7,
        decimals=0,
        limit=Limit(1, "below"),
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


def _failures() -> Tile:
    """A system without a failure has no such series; 0 is said for it."""
    everything = f"sum by (system) ({REQUESTS})"
    return graph(
        "Failed requests by system",
        "Share of the requests of each system that were answered with a server error.",
        [Query(f"(sum by (system) ({FAILURES}) or {everything} * 0) / {everything}", "{{system}}")],
        unit="percentunit",
        width=12,
        links=runbook("ecommerce", "HighErrorRate"),
    )


def _lines() -> Tile:
    return logs(
        "Warnings and errors",
        "The newest lines that are worse than normal, of the chosen services; open one for its trace.",
        '{service=~"$service", level=~"WARNING|ERROR|CRITICAL"}'
        ' | json | line_format "{{.service}}: {{.message}}"',
        width=24,
    )
