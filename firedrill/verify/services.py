"""The checks of one demo service: its request, metrics, log lines, spans and exemplar."""

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from firedrill.clients import Exemplar, Jaeger, LogLine, Loki, Prometheus, Trace, TraceBackend
from firedrill.clients.http import Params
from firedrill.switches import PROMTAIL
from firedrill.verify import onetrace
from firedrill.verify.check import Check, Missing, Seen
from firedrill.verify.probes import Probe


@dataclass(frozen=True)
class Backends:
    """The backends that are started, by what verify asks them; `traces` are those that store traces."""

    prometheus: Prometheus
    loki: Loki | None
    jaeger: Jaeger | None
    traces: Mapping[str, TraceBackend]
    shipper: str = PROMTAIL


def checks_of(probe: Probe, backends: Backends, *, since: float) -> list[Check]:
    """Every check of one service; data older than `since`, the start in unix seconds, proves nothing."""
    service = probe.plan.service
    checks = [
        Check(f"{service}: request", probe.attempt, (service,)),
        Check(
            f"{service}: metrics",
            lambda: metrics(probe, backends.prometheus, since=since),
            (service, "prometheus"),
        ),
    ]
    if (loki := backends.loki) is not None:
        needs = (service, backends.shipper, "loki")
        checks.append(
            Check(f"{service}: logs", lambda: logs(probe, loki, since=since, shipper=backends.shipper), needs)
        )
    for name, backend in backends.traces.items():
        checks.append(_trace_check(probe, name, backend))
    checks += onetrace.checks_of(probe, backends.traces, backends.loki, since=since, shipper=backends.shipper)
    if (jaeger := backends.jaeger) is not None:
        needs = (service, "collector", "jaeger")
        checks.append(Check(f"{service}: known to jaeger", lambda: known(probe, jaeger, since=since), needs))
    if probe.plan.exemplar is not None and backends.traces:
        first, store = next(iter(backends.traces.items()))
        checks.append(
            Check(
                f"{service}: exemplar",
                lambda: exemplar(probe, backends.prometheus, store, since=since),
                (service, "prometheus", "collector", first),
            )
        )
    return checks


def _trace_check(probe: Probe, name: str, backend: TraceBackend) -> Check:
    service = probe.plan.service
    return Check(f"{service}: trace in {name}", lambda: trace(probe, backend), (service, "collector", name))


def metrics(probe: Probe, prometheus: Prometheus, *, since: float) -> Seen | Missing:
    """Whether every declared metric is stored, and those that the probe's request moves have moved since."""
    plan = probe.plan
    names = (*plan.moving, *plan.present)
    query = _sums(names, plan.job)
    before, now = _by_name(prometheus, query, at=since), _by_name(prometheus, query)
    absent = [name for name in names if name not in now]
    still = [name for name in plan.moving if name in now and now[name] == before.get(name, 0.0)]
    if absent:
        what = f"absent from Prometheus: {_listed(absent)}"
        return Missing(
            what, _query(_sums(absent[:3], plan.job)), f"see `firedrill query 'up{{job=\"{plan.job}\"}}'`"
        )
    if still:
        what = f"unmoved since verify began: {_listed(still)}"
        return Missing(
            what, _query(_sums(still[:3], plan.job)), "the scrape is late, or the service counts nothing"
        )
    return Seen(f"{len(names)} metrics, {len(plan.moving)} moved by the request")


def _sums(names: Sequence[str], job: str) -> str:
    return f'sum by (__name__) ({{__name__=~"{"|".join(names)}",job="{job}"}})'


def _by_name(prometheus: Prometheus, query: str, *, at: float | None = None) -> dict[str, float]:
    return {one.labels["__name__"]: one.points[-1][1] for one in prometheus.query(query, at=at).series}


def logs(probe: Probe, loki: Loki, *, since: float, shipper: str = PROMTAIL) -> Seen | Missing:
    """Whether the lines of the probe's own request are in Loki, found by the trace id in their metadata."""
    plan = probe.plan
    if probe.answer is None:
        return _unanswered(probe)
    logql = f'{{service="{plan.service}"}} | trace_id="{probe.answer.trace_id}"'
    lines = loki.search(logql, start=since - 5, end=time.time() + 5, limit=200).lines
    found = {_message(line) for line in lines}
    absent = [message for message in plan.messages if message not in found]
    if absent:
        what = f"{len(lines)} lines of the request in Loki; absent: {_listed([repr(one) for one in absent])}"
        todo = (
            f"see `firedrill logs {plan.service}` for whether it wrote them, then `firedrill logs {shipper}`"
        )
        return Missing(what, f"firedrill search {shlex.quote(logql)}", todo)
    return Seen(f"{len(lines)} lines: {', '.join(sorted(one for one in found if one))}")


def _message(line: LogLine) -> str:
    try:
        data = json.loads(line.text)
    except ValueError:
        return ""
    return str(data.get("message", "")) if isinstance(data, dict) else ""


def trace(probe: Probe, backend: TraceBackend) -> Seen | Missing:
    """Whether the trace of the probe's own request is stored whole, with the declared span names."""
    plan = probe.plan
    if probe.answer is None:
        return _unanswered(probe)
    trace_id = probe.answer.trace_id
    stored = backend.trace(trace_id)
    command = f"firedrill trace {trace_id}"
    if stored is None:
        return Missing(f"{backend.name} has no trace {trace_id}", command, "see `firedrill logs collector`")
    absent = sorted(set(plan.spans) - stored.names(plan.service))
    if absent:
        what = f"the trace in {backend.name} has {len(stored.spans)} spans; absent: {_listed(absent)}"
        return Missing(what, command, f"see `firedrill logs {plan.service}` and `firedrill logs collector`")
    return Seen(f"{len(stored.spans)} spans, {_length(stored)}")


def known(probe: Probe, jaeger: Jaeger, *, since: float) -> Seen | Missing:
    """Whether Jaeger lists the service, and finds a trace of it that is newer than verify by its name."""
    services, service = jaeger.services(), probe.plan.service
    if service in services:
        if jaeger.recent(service, start=since, end=time.time() + 5, limit=1):
            return Seen(f"one of {len(services)} services, with a trace since verify began")
        begin, end = int(since * 1e6), int((since + 60) * 1e6)
        params: Params = {"service": service, "start": begin, "end": end, "limit": 1}
        what = f"Jaeger lists {service}, but finds no trace of it since verify began"
        return Missing(
            what, f"curl -s '{jaeger.url('/api/traces', params)}'", "see `firedrill logs collector`"
        )
    what = f"Jaeger lists {_listed(services) or 'no service'}, not {service}"
    return Missing(what, f"curl -s {jaeger.url('/api/services')}", "see `firedrill logs collector`")


def exemplar(probe: Probe, prometheus: Prometheus, store: TraceBackend, *, since: float) -> Seen | Missing:
    """Whether an exemplar leads to its trace: the probe's own, or else any that is newer than verify."""
    wish = probe.plan.exemplar
    assert wish is not None  # checks_of makes this check only for plans that have one
    if probe.answer is None:
        return _unanswered(probe)
    found = prometheus.exemplars(wish.query, start=since - 60, end=time.time() + 5)
    if wish.exact:
        fitting = [one for one in found if one.labels.get("trace_id") == probe.answer.trace_id]
    else:
        fitting = [one for one in found if one.time >= since and one.labels.get("trace_id")]
    address = prometheus.url(
        "/api/v1/query_exemplars",
        {"query": wish.query, "start": int(since - 60), "end": int(time.time() + 60)},
    )
    if not fitting:
        kind = f"with trace id {probe.answer.trace_id}" if wish.exact else "since verify began"
        what = f"no exemplar {kind} on {wish.query} ({len(found)} others)"
        return Missing(what, f"curl -s '{address}'", "see whether Prometheus runs with exemplar-storage")
    return _opens(fitting, store, address)


def _opens(fitting: Sequence[Exemplar], store: TraceBackend, address: str) -> Seen | Missing:
    """Whether one of the three newest exemplars opens its trace (the very last may still be under way)."""
    newest = sorted(fitting, key=lambda one: one.time, reverse=True)[:3]
    for one in newest:
        if store.trace(one.labels["trace_id"]) is not None:
            return Seen(f"{one.labels['trace_id']} opens in {store.name}")
    what = f"an exemplar is there, but {store.name} has no trace {newest[0].labels['trace_id']}"
    return Missing(what, f"curl -s '{address}'", "see `firedrill logs collector`")


def _unanswered(probe: Probe) -> Missing:
    return Missing(f"{probe.plan.service} has not answered the request of verify, see the check of that name")


def _query(promql: str) -> str:
    return f"firedrill query {shlex.quote(promql)}"


def _listed(names: Sequence[str], *, limit: int = 8) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


def _length(stored: Trace) -> str:
    begin = min(span.start for span in stored.spans)
    end = max(span.start + span.duration for span in stored.spans)
    return f"{(end - begin) / 1e6:.0f} ms"
