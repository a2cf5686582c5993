"""The links from one signal to the next, followed on the running stack; reports/links.md tells the rest."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from firedrill.clients import Backend
from firedrill.grafana.links import Provisioned
from firedrill.verify.links import LINKS, Broken, Followed, Linked, log_to_trace, trace_to_logs
from firedrill.verify.plan import make_linked
from firedrill.wait import poll_until
from tests.integration.conftest import LiveStack

ROOT = Path(__file__).parents[2]
FIRE_SECONDS, DATA_SECONDS = 120.0, 60.0
HEAD = "| link | from | the query that it ends in | what came back |\n|---|---|---|---|\n"


@pytest.fixture(scope="module")
def around(stack: LiveStack) -> Linked:
    """The stack's backends; it runs with Tempo."""
    found = make_linked(stack.view(), http=stack.http)
    assert found is not None
    assert found.stores.keys() == {"jaeger", "tempo"}
    return found


@pytest.fixture(scope="module")
def told() -> Iterator[list[Followed]]:
    """What came back, written down at the end."""
    found: list[Followed] = []
    yield found
    rows = [f"| {one.link} | {one.start} | `{_cell(one.query)}` | {_cell(one.back)} |" for one in found]
    page = ROOT / "reports/links.md"
    page.parent.mkdir(exist_ok=True)
    page.write_text("# Links\n\n" + HEAD + "\n".join(rows) + "\n", encoding="utf-8")
    print("\n" + page.read_text(encoding="utf-8"))


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


@pytest.mark.parametrize("name", [name for name, *_ in LINKS])
def test_a_link_leads_to_data(name: str, around: Linked, told: list[Followed]) -> None:
    """As provisioned, from real data, in every store of traces that it leads from or to."""
    (follow,) = (one for own, one, _ in LINKS if own == name)
    found = poll_until(lambda: list(follow(around)), name, DATA_SECONDS)
    assert all(one.back for one in found)
    told += found


def test_both_stores_are_led_from_and_to(around: Linked) -> None:
    """Jaeger and Tempo each open a log line's trace, and each lead from a span to its lines."""
    to = poll_until(lambda: list(log_to_trace(around)), "logs to trace", DATA_SECONDS)
    assert {one.query.rpartition(" ")[2] for one in to} == {"jaeger", "tempo"}
    back = poll_until(lambda: list(trace_to_logs(around)), "trace to logs", DATA_SECONDS)
    assert {one.start.rpartition(" ")[2] for one in back} == {"jaeger", "tempo"}


def test_the_service_graph_knows_who_calls_whom(around: Linked) -> None:
    """The shop asks fds, fds asks the model server, a workflow asks judgment."""
    (follow,) = (one for name, one, _ in LINKS if name == "service graph")

    def complete() -> bool:
        edges = next(iter(follow(around))).back
        return all(one in edges for one in ("ecommerce → fds", "fds → ml", "workflow → judgment"))

    poll_until(complete, "the graph has its edges", DATA_SECONDS)


def test_a_firing_alert_leads_to_its_dashboard_and_runbook(
    around: Linked, stack: LiveStack, told: list[Followed]
) -> None:
    """From the notification in the inbox: the fault fires it, its message carries both addresses."""
    (follow,) = (one for name, one, _ in LINKS if name.startswith("alert"))
    stack.must("fault", "set", "fds/cti_slow", "milliseconds=150", "--ttl", "180")
    inbox = Backend("the inbox", stack.view().url("inbox"), http=stack.http)
    try:
        # It may fire already, from a test before this one: then its message has come and no other will.
        # Grafana has a rule of the same name, with a receiver of its own.
        wanted = {"alertname": "FDSSLAViolation", "status": "firing", "receiver": "shopfds-warning"}
        (message, *_) = poll_until(
            lambda: inbox.get("/api/v1/messages", wanted)["messages"], "the alert's message", FIRE_SECONDS
        )
        found = poll_until(
            lambda: [one for one in follow(around) if one.start == "FDSSLAViolation"],
            "the alert",
            FIRE_SECONDS,
        )
    finally:
        stack.must("fault", "clear", "fds/cti_slow")
    links = {link["label"].lower(): link["url"] for link in message["links"]}
    assert {one.link: one.query for one in found} == {
        "alert to dashboard": links["dashboard"],
        "alert to runbook": links["runbook"],
    }
    assert found[0].back.startswith("dashboard FDS Performance")
    told += found


def test_a_link_that_leads_nowhere_is_said(around: Linked, tmp_path: Path) -> None:
    """A query for lines of a label that streams do not have, in a copy of the datasources."""
    target = tmp_path / "config/grafana/provisioning/datasources"
    target.mkdir(parents=True)
    text = (ROOT / "config/grafana/provisioning/datasources/datasources.yml").read_text("utf-8")
    assert '{service="$${' in text
    (target / "datasources.yml").write_text(text.replace('{service="$${', '{app="$${'), "utf-8")
    with pytest.raises(Broken, match="no lines"):
        list(trace_to_logs(replace(around, provisioned=Provisioned(tmp_path))))
