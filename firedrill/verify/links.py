"""Every provisioned link from one signal to the next, followed on data of the running stack."""

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from firedrill.alert_links import INBOX
from firedrill.clients import Backend, Jaeger, LogLine, Loki, Prometheus, Span, TraceBackend
from firedrill.clients.http import Params
from firedrill.dashboards.reader import links as links_of
from firedrill.grafana.links import NoLink, Provisioned, Target
from firedrill.verify.check import Check, Missing, Seen

RECENT_SECONDS = 300.0
EXEMPLARS = '{__name__=~".+_duration_seconds_bucket"}'
_TRIES = 10
"""So many data to set out from: the newest may lead to what has not arrived yet."""
_BOARD = re.compile(r"/d/([^/?#]+)")
_RUNBOOK = re.compile(r"/runbooks/[^/?#]+/[^/?#]+$")


@dataclass(frozen=True)
class Followed:
    """One link followed: what it set out from, the query that it ended in, and what came back."""

    link: str
    start: str
    query: str
    back: str


class Broken(Exception):
    """A link did not lead to data: `query` is what it ended in."""

    def __init__(self, what: str, query: str = "") -> None:
        super().__init__(what)
        self.query = query


@dataclass(frozen=True)
class Linked:
    """What the links lead from and to.

    `stores` are the started trace backends by datasource, `inbox` is the address of what serves the runbooks.
    """

    root: Path
    provisioned: Provisioned
    prometheus: Prometheus
    loki: Loki
    jaeger: Jaeger
    stores: Mapping[str, TraceBackend]
    alertmanager: Backend
    inbox: str
    http: httpx.Client
    clock: Callable[[], float] = time.time


Follow = Callable[[Linked], Iterable[Followed]]


def checks_of(around: Linked) -> list[Check]:
    """A check for each link."""
    return [Check(f"link: {name}", _attempt(follow, around), needs) for name, follow, needs in LINKS]


def _attempt(follow: Follow, around: Linked) -> Callable[[], Seen | Missing]:
    def attempt() -> Seen | Missing:
        try:
            found = list(follow(around))
        except NoLink as error:
            return Missing(f"Grafana shows no such link: {error}", todo="see the datasource's jsonData")
        except Broken as error:
            return Missing(str(error), error.query, "see config/grafana/provisioning/datasources")
        return Seen("; ".join(dict.fromkeys(one.back for one in found)))

    return attempt


def metric_to_trace(around: Linked) -> Iterator[Followed]:
    """From an exemplar to its trace."""
    now = around.clock()
    found = around.prometheus.exemplars(EXEMPLARS, start=now - RECENT_SECONDS, end=now)
    newest = sorted((one for one in found if one.labels), key=lambda one: one.time)[-_TRIES:]
    if not newest:
        raise Broken(f"no exemplar on {EXEMPLARS}")
    starts = [
        (f"exemplar of {one.series['__name__']}", list(around.provisioned.of_exemplar(one)))
        for one in reversed(newest)
    ]
    yield from _to_trace("metric to trace", starts, around)


def log_to_trace(around: Linked) -> Iterator[Followed]:
    """From a log line to its trace, in each store of traces."""
    starts = [
        (f"line of {line.labels.get('service', '?')}", list(around.provisioned.of_line(line)))
        for line in _lines(around)
    ]
    yield from _to_trace("logs to trace", starts, around)


def _lines(around: Linked) -> Sequence[LogLine]:
    now, logql = around.clock(), '{service=~".+"} | trace_id!=""'
    lines = around.loki.search(logql, start=now - RECENT_SECONDS, end=now, limit=_TRIES).lines
    if not lines:
        raise Broken("no line has a trace id", logql)
    return lines[::-1]


def _to_trace(
    link: str, starts: Sequence[tuple[str, Sequence[Target]]], around: Linked
) -> Iterator[Followed]:
    """The first of `starts` whose trace is stored, for each store that a link leads to."""
    for number, first in enumerate(starts[0][1]):
        store = around.stores.get(first.datasource)
        if store is None:
            continue
        for start, targets in starts:
            trace = store.trace(targets[number].query)
            if trace is not None:
                query = f"trace {targets[number].query} of {first.datasource}"
                services = ", ".join(sorted({span.service for span in trace.spans}))
                yield Followed(link, start, query, f"{len(trace.spans)} spans of {services}")
                break
        else:
            raise Broken(f"{store.name} has none of {len(starts)} traces", f"trace {first.query}")


def trace_to_logs(around: Linked) -> Iterator[Followed]:
    """From a span of a request to the lines of its service in this trace, from each store."""
    for uid in around.stores:
        query, tried = "", 0
        for span in _spans(uid, around):
            target = around.provisioned.logs_of(uid, span)
            lines = around.loki.search(target.query, start=target.start, end=target.end, limit=50).lines
            if lines:
                back = f"{len(lines)} lines of {', '.join(sorted({one.labels['service'] for one in lines}))}"
                yield Followed("trace to logs", _named(uid, span), target.query, back)
                break
            query, tried = target.query, tried + 1
        else:
            raise Broken(f"no lines for {tried} spans out of {uid}", query)


def trace_to_metrics(around: Linked) -> Iterator[Followed]:
    """From a span to each metric of its service, from each store."""
    for uid in around.stores:
        span = next(_spans(uid, around), None)
        if span is None:
            raise Broken(f"{uid} has no trace of the last minutes")
        for target in around.provisioned.metrics_of(uid, span):
            # The page's time reaches beyond now; what is not there yet is no point.
            series = around.prometheus.query_range(
                target.query, start=target.start, end=target.end, step=15.0
            ).series
            points = sum(not math.isnan(value) for one in series for _, value in one.points)
            if not points:
                raise Broken(f"{target.name} gives no value", target.query)
            back = f"{len(series)} series, {points} values"
            yield Followed(f"trace to metrics: {target.name}", _named(uid, span), target.query, back)


def _spans(uid: str, around: Linked) -> Iterator[Span]:
    """Spans that served a request, of the newest traces of each service, as the store gives them."""
    now, store = around.clock(), around.stores[uid]
    for service in sorted(around.jaeger.services()):
        for found in around.jaeger.recent(service, start=now - RECENT_SECONDS, end=now, limit=2):
            trace = found if uid == "jaeger" else store.trace(found.trace_id)
            spans = trace.spans if trace else ()
            yield from [one for one in spans if one.kind == "server" and one.service == service][:1]


def _named(uid: str, span: Span) -> str:
    return f"span {span.name} of {span.service} in {uid}"


def service_graph(around: Linked) -> Iterator[Followed]:
    """The edges between services: of Tempo's series, or without Tempo of Jaeger's dependencies."""
    now = around.clock()
    if "tempo" not in around.stores:
        params: Params = {"endTs": int(now * 1000), "lookback": int(RECENT_SECONDS * 1000)}
        edges = [
            (one["parent"], one["child"]) for one in around.jaeger.get("/api/dependencies", params)["data"]
        ]
        query = around.jaeger.url("/api/dependencies", params)
        yield Followed("service graph", "Jaeger", query, _edges(edges, query))
        return
    for target in around.provisioned.service_graph():
        series = around.prometheus.query(target.query, at=now).series
        edges = [(one.labels.get("client", ""), one.labels.get("server", "")) for one in series]
        quiet = not edges and "failed" in target.name  # as long as nothing fails there is no such series
        back = "no failed request" if quiet else _edges(edges, target.query)
        yield Followed("service graph", "Tempo", target.query, back)


def _edges(found: Sequence[tuple[str, str]], query: str) -> str:
    if not found:
        raise Broken("the service graph has no edge", query)
    return ", ".join(f"{one} → {other}" for one, other in sorted(found))


def alert_to_runbook(around: Linked) -> Iterator[Followed]:
    """From each active alert to its dashboard and its runbook, and from the dashboard to a runbook."""
    alerts = around.alertmanager.get("/api/v2/alerts", {"active": "true"})
    if not alerts:
        raise Broken("no alert is active, not even the Watchdog", around.alertmanager.url("/api/v2/alerts"))
    for one in alerts:
        name, notes = one["labels"]["alertname"], one["annotations"]
        uid = _BOARD.search(notes.get("dashboard_url", ""))
        made = _dashboards(around.root).get(uid[1]) if uid else None
        if made is None:
            raise Broken(f"{name} leads to no dashboard of ours", notes.get("dashboard_url", ""))
        back = f"dashboard {made['title']}, {len(made['panels'])} panels"
        yield Followed("alert to dashboard", name, notes["dashboard_url"], back)
        yield Followed("alert to runbook", name, notes["runbook_url"], _page(notes["runbook_url"], around))
        on = sorted({url for _, url in links_of(made) if _RUNBOOK.search(url)})
        if on:
            # Dashboards are mounted as they are: they name the inbox by its own port, wherever it was moved.
            moved = on[0].replace(INBOX, around.inbox, 1)
            yield Followed("dashboard to runbook", str(made["title"]), moved, _page(moved, around))


def _dashboards(root: Path) -> dict[str, Any]:
    made = [json.loads(path.read_text("utf-8")) for path in root.glob("dashboards/*/*.json")]
    return {one["uid"]: one for one in made}


def _page(url: str, around: Linked) -> str:
    """The page that a link opens."""
    try:
        answer = around.http.get(url)
    except httpx.HTTPError as error:
        raise Broken(f"{url} does not answer: {error or type(error).__name__}", url) from error
    name = url.rpartition("/")[2]
    if not answer.is_success or name not in answer.text:
        raise Broken(f"{url} shows no runbook {name}: HTTP {answer.status_code}", url)
    return f"the runbook {name}"


_TRACES = ("prometheus", "collector", "jaeger")
LINKS: tuple[tuple[str, Follow, tuple[str, ...]], ...] = (
    ("metric to trace", metric_to_trace, _TRACES),
    ("logs to trace", log_to_trace, ("loki", *_TRACES)),
    ("trace to logs", trace_to_logs, ("loki", *_TRACES)),
    ("trace to metrics", trace_to_metrics, _TRACES),
    ("service graph", service_graph, _TRACES),
    ("alert to dashboard to runbook", alert_to_runbook, ("prometheus", "alertmanager", "inbox")),
)
