"""Links of an expert's path lead to this console's pages, with the question filled in."""

import pytest

from console.sandbox.curves import curves
from console.sandbox.links import address, own, traces_form
from console.sources.prometheus import Series


@pytest.mark.parametrize(
    ("kind", "link", "expected"),
    [
        ("board", "fds-performance", "/boards/fds-performance"),
        ("runbook", "fds/FDSSLAViolation", "/runbooks/fds/FDSSLAViolation"),
        ("page", "/inbox", "/inbox"),
        ("logs", '{service="fds"}', "/logs?query=%7Bservice%3D%22fds%22%7D&since=15m"),
        ("metrics", "up == 0", "/sandbox/query?expr=up+%3D%3D+0&since=15m"),
    ],
)
def test_each_kind_has_its_page(kind: str, link: str, expected: str) -> None:
    """Whatever stands in a query is quoted."""
    assert address(kind, link) == expected  # type: ignore[arg-type]


def test_a_search_for_traces_becomes_a_form() -> None:
    """As runbooks write it."""
    form = traces_form(
        'service=fds operation="POST /api/v1/x" minDuration=100ms tags={"error":"true","a":"b c"}'
    )
    assert form == {
        "service": "fds", "operation": "POST /api/v1/x", "shortest": "100ms", "tags": 'error=true a="b c"',
    }  # fmt: skip


def test_a_notices_links_stay_in_the_console() -> None:
    """Grafana's and the inbox's addresses become the pages here; others are left out."""
    found = own(
        {
            "Runbook": "http://127.0.0.1:8090/runbooks/fds/FDSSLAViolation",
            "Dashboard": "http://127.0.0.1:3002/d/fds-performance",
            "Source": "http://127.0.0.1:9090/graph?g0.expr=1",
        }
    )
    assert found == {"Runbook": "/runbooks/fds/FDSSLAViolation", "Dashboard": "/boards/fds-performance"}


def test_curves_are_named_by_what_differs() -> None:
    """The largest first; labels that all share say nothing."""
    series = [
        Series({"job": "x", "method": "rule"}, ((1.0, 1.0), (2.0, 3.0))),
        Series({"job": "x", "method": "llm"}, ((1.0, 1.0), (2.0, 5.0))),
    ]
    assert [one.name for one in curves(series)] == ["llm", "rule"]
    assert curves(series[:1])[0].name == "value"
    assert curves(series[:1])[0].points == ((1000.0, 1.0), (2000.0, 3.0))
