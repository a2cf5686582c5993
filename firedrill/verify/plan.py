"""Which checks a running stack gets, and what is not checked."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from firedrill.clients import Alertmanager, Backend, Jaeger, Loki, Prometheus, Tempo, TraceBackend
from firedrill.grafana.links import Provisioned
from firedrill.switches import log_shipper
from firedrill.verify import links, places, platform, services
from firedrill.verify.canaries import Canaries, Target
from firedrill.verify.check import Check, NotChecked
from firedrill.verify.declared import ProbePlan, load_plans
from firedrill.verify.logfiles import DockerLogs, LocalLogFiles, LogFiles
from firedrill.verify.panels import Panels, panels
from firedrill.verify.probes import Probe
from firedrill.verify.seams import RunningStack
from firedrill.verify.sources import Sources

_NOT_STARTED = {
    "tempo": "Tempo is not started: `make up TRACES=all` starts it",
    "grafana": "Grafana is not started: the local runtime runs it when `grafana` of a release is on PATH",
    "traffic": "no background traffic is started (TRAFFIC=off)",
}


@dataclass(frozen=True)
class Plan:
    """The checks to run, the probes and dashboards behind them, and what stays unchecked."""

    checks: tuple[Check, ...]
    probes: tuple[Probe, ...]
    not_checked: tuple[NotChecked, ...]
    panels: Panels


def make_plan(stack: RunningStack, *, http: httpx.Client, since: float) -> Plan:
    """The plan for what `stack` has started; `since` is the start of verify in unix seconds.

    Raises TopologyError when a probe or target file cannot be used.
    """
    backends = _backends(stack, http)
    plans = load_plans(stack.root)
    probes = tuple(
        Probe(plan, stack.url(name), http=http) for name, plan in plans.items() if name in stack.started
    )
    checks = [platform.processes(stack)]
    targets = platform.expected_targets(stack.root, stack.started)
    if "prometheus" in stack.started:
        checks += [platform.target(one, backends.prometheus, since=since) for one in targets]
        for probe in probes:
            checks += services.checks_of(probe, backends, since=since)
    checks += _alerting(stack, backends.prometheus, http)
    checks += _grafana(stack, http)
    checks += places.checks_of(
        make_canaries(stack, plans, http=http), make_places(stack, http=http), http=http
    )
    shown = make_panels(stack, http=http)
    checks += shown.checks
    if (linked := make_linked(stack, http=http)) is not None:
        checks += links.checks_of(linked)
    silent = stack.started - {one.service for one in targets} - plans.keys()
    unchecked = (*_not_checked(stack, plans.keys() - stack.started, silent), *shown.not_checked)
    return Plan(tuple(checks), probes, unchecked, shown)


def make_panels(stack: RunningStack, *, http: httpx.Client) -> Panels:
    """The panels and examples of the systems that run, asked of the started backends."""
    tempo = Backend("Tempo", stack.url("tempo"), http=http) if "tempo" in stack.started else None
    answers = Sources(
        prometheus=Prometheus(stack.url("prometheus"), http=http) if "prometheus" in stack.started else None,
        loki=Loki(stack.url("loki"), http=http) if "loki" in stack.started else None,
        tempo=tempo,
    )
    targets = platform.expected_targets(stack.root, stack.started)
    systems = frozenset(one.labels["system"] for one in targets)
    return panels(stack.root, answers=answers, started=stack.started, systems=systems)


def make_linked(stack: RunningStack, *, http: httpx.Client) -> links.Linked | None:
    """What the links between the signals lead from and to; None where a part of it does not run."""
    backends = _backends(stack, http)
    needed = {"prometheus", "loki", "jaeger", "alertmanager", "inbox"}
    if backends.loki is None or backends.jaeger is None or not needed <= stack.started:
        return None
    if not (stack.root / "dashboards").is_dir():
        return None
    return links.Linked(
        root=stack.root,
        provisioned=Provisioned(stack.root),
        prometheus=backends.prometheus,
        loki=backends.loki,
        jaeger=backends.jaeger,
        stores=backends.traces,
        alertmanager=Backend("Alertmanager", stack.url("alertmanager"), http=http),
        inbox=stack.url("inbox"),
        http=http,
    )


def make_canaries(stack: RunningStack, plans: Mapping[str, ProbePlan], *, http: httpx.Client) -> Canaries:
    """The canaries for every started service that is a slice with an application."""
    names = sorted(path.parent.name for path in (stack.root / "services").glob("*/app.py"))
    targets = [
        Target(name, stack.url(name), plans[name].canaries if name in plans else ())
        for name in names
        if name in stack.started
    ]
    return Canaries(targets, http=http)


def make_places(stack: RunningStack, *, http: httpx.Client) -> places.Places:
    """The started backends, and the log files as they are now."""
    started, files = stack.started, _log_files(stack)
    return places.Places(
        loki=Loki(stack.url("loki"), http=http) if "loki" in started else None,
        jaeger=Jaeger(stack.url("jaeger"), http=http) if "jaeger" in started else None,
        tempo=Tempo(stack.url("tempo"), http=http) if "tempo" in started else None,
        inbox=Backend("the inbox", stack.url("inbox"), http=http) if "inbox" in started else None,
        files=files,
        shipper=log_shipper(stack.settings),
    )


def _log_files(stack: RunningStack) -> LogFiles:
    if stack.runtime == "docker":
        return DockerLogs(stack.root / "docker-compose.yml")
    folders = ("logs", "data/service-logs", "own/logs")
    return LocalLogFiles([stack.state_folder / name for name in folders])


def _backends(stack: RunningStack, http: httpx.Client) -> services.Backends:
    jaeger = Jaeger(stack.url("jaeger"), http=http) if "jaeger" in stack.started else None
    traces: dict[str, TraceBackend] = {"jaeger": jaeger} if jaeger else {}
    if "tempo" in stack.started:
        traces["tempo"] = Tempo(stack.url("tempo"), http=http)
    return services.Backends(
        prometheus=Prometheus(stack.url("prometheus"), http=http),
        loki=Loki(stack.url("loki"), http=http) if "loki" in stack.started else None,
        jaeger=jaeger,
        traces=traces,
        shipper=log_shipper(stack.settings),
    )


def _alerting(stack: RunningStack, prometheus: Prometheus, http: httpx.Client) -> list[Check]:
    checks = []
    if "prometheus" in stack.started:
        checks.append(platform.rules(platform.expected_alerts(stack.root, stack.started), prometheus))
        if "alertmanager" in stack.started:
            manager = Alertmanager(stack.url("alertmanager"), http=http)
            checks.append(platform.alertmanager(prometheus, manager))
    if "inbox" in stack.started:
        checks.append(platform.inbox(Backend("the inbox", stack.url("inbox"), http=http)))
    return checks


def _grafana(stack: RunningStack, http: httpx.Client) -> list[Check]:
    if "grafana" not in stack.started:
        return []
    user, password = stack.settings.get("GRAFANA_USER", "admin"), stack.settings.get("GRAFANA_PASSWORD", "")
    credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    grafana = Backend("Grafana", stack.url("grafana"), http=http, headers=headers)
    uids = [uid for uid in platform.datasource_uids(stack.root) if uid in stack.started]
    return [platform.datasource(uid, grafana) for uid in uids]


def _not_checked(
    stack: RunningStack, idle: frozenset[str] | set[str], silent: frozenset[str]
) -> tuple[NotChecked, ...]:
    absent = {**_NOT_STARTED, **dict.fromkeys(sorted(idle), "the service is not started"), **stack.left_out}
    found = [NotChecked(name, why) for name, why in absent.items() if name not in stack.started]
    found += [
        NotChecked(name, "only that it runs: it exposes nothing that Prometheus scrapes")
        for name in sorted(silent)
    ]
    found.append(NotChecked("delivery of an alert", "needs a fault: `make drill NAME=<alert>` proves it"))
    return tuple(found)
