"""The provisioned links are filled in as Grafana fills them in, or are said to lead nowhere."""

from dataclasses import replace
from pathlib import Path

import pytest

from firedrill.clients import Exemplar, LogLine, Span
from firedrill.grafana.links import NoLink, Provisioned

ROOT = Path(__file__).parents[3]
ID = "0af7651916cd43dd8448eb211c80319c"
SPAN = Span(
    trace_id=ID, span_id="b7ad6b7169203331", parent="", name="POST /x", service="fds",
    start=1_000_000_000_000, duration=2_000_000_000, kind="server",
    resource={"service.name": "fds", "service.instance.id": "fds"},
)  # fmt: skip
IN_JAEGER = replace(SPAN, resource={"service.instance.id": "fds"})  # it keeps the name to itself


@pytest.fixture
def links() -> Provisioned:
    """The project's own datasources."""
    return Provisioned(ROOT)


def test_an_exemplar_leads_to_its_trace(links: Provisioned) -> None:
    """By the label that carries the id."""
    (target,) = links.of_exemplar(Exemplar({"__name__": "x_bucket"}, {"trace_id": ID}, 1.0, 1.0))
    assert (target.datasource, target.query) == ("jaeger", ID)
    with pytest.raises(NoLink, match="trace_id"):
        list(links.of_exemplar(Exemplar({}, {"id": ID}, 1.0, 1.0)))


def test_a_line_leads_to_its_trace_in_each_store(links: Provisioned) -> None:
    """By structured metadata, whatever the text says."""
    targets = list(links.of_line(LogLine(1, "{}", {"service": "fds"}, {"trace_id": ID})))
    assert [(one.datasource, one.query) for one in targets] == [("jaeger", ID), ("tempo", ID)]
    with pytest.raises(NoLink, match="trace_id"):
        list(links.of_line(LogLine(1, f'{{"trace_id":"{ID}"}}', {}, {})))


@pytest.mark.parametrize(("store", "span"), [("jaeger", IN_JAEGER), ("tempo", SPAN)])
def test_a_span_leads_to_its_lines(links: Provisioned, store: str, span: Span) -> None:
    """Those of its service and its trace, five minutes around it."""
    target = links.logs_of(store, span)
    assert target.query == f'{{service="fds"}} | trace_id="{ID}"'
    assert (target.datasource, target.start, target.end) == ("loki", 700.0, 1302.0)


@pytest.mark.parametrize(("store", "span"), [("jaeger", IN_JAEGER), ("tempo", SPAN)])
def test_a_span_leads_to_the_metrics_of_its_service(links: Provisioned, store: str, span: Span) -> None:
    """Every query is narrowed to the instance, with ranges as Grafana makes them."""
    targets = list(links.metrics_of(store, span))
    assert len(targets) == 3
    assert all('instance="fds"' in one.query and "$" not in one.query for one in targets)
    assert targets[0].query.endswith("[60s]))")


def test_a_span_without_the_tag_has_no_link(links: Provisioned) -> None:
    """Grafana would leave out the link to the logs, and ask for the metrics of all services."""
    bare = replace(SPAN, resource={"service.namespace": "shopfds"})
    with pytest.raises(NoLink, match=r"in jaeger has no tag .*it has service\.namespace"):
        links.logs_of("jaeger", bare)
    with pytest.raises(NoLink, match="has no tag"):
        list(links.metrics_of("tempo", bare))


def test_the_service_graph_is_asked_as_grafana_asks(links: Provisioned) -> None:
    """Requests, seconds and failures between client and server."""
    targets = list(links.service_graph())
    assert {one.datasource for one in targets} == {"prometheus"}
    assert targets[0].query == "sum by (client, server) (rate(traces_service_graph_request_total[3600s]))"
