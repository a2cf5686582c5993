"""Every component killed under load: what was accepted is there afterwards, and other losses are counted."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from firedrill.wait import poll_until
from tests.integration.resilience.evidence import spans_stored
from tests.integration.resilience.killing import SERVICES, Counts, Death, kill_under_load
from tests.integration.resilience.search import STORES, Found, Search, faults_of
from tests.integration.resilience.table import table

COMPONENTS = (
    *STORES, "collector", "jaeger", "loki", "promtail", "prometheus", "alertmanager", "inbox", "ml", "fds",
    "judgment", "workflow", "ecommerce", "admin", "node-exporter", "postgres-exporter", "redis-exporter",
)  # fmt: skip


@contextmanager
def without_traffic(live: Any) -> Iterator[None]:
    """No background traffic meanwhile, so that the numbers are this test's own."""
    runs = "traffic" in live.view().started
    if runs:
        live.must("stop", "traffic")
    try:
        yield
    finally:
        if runs:
            live.must("start", "traffic")


def test_every_component_may_be_killed_under_load(stack: Any) -> None:
    """Services answer meanwhile, accepted orders and written lines are all found, lost spans are counted."""
    with without_traffic(stack):
        wrong = killed_one_after_another(stack)
    assert wrong == [], "\n".join(wrong)
    poll_until(lambda: stack.view().state()["traffic"].phase == "ready", "traffic runs again", 60)
    done = stack.command("verify", "--json")
    failed = [one["check"] for one in json.loads(done.stdout)["checks"] if one["result"] == "failed"]
    assert failed == []


def killed_one_after_another(live: Any) -> list[str]:
    """Kill all components, write the report, and return what went wrong."""
    Counts(live).settle()
    begun, run = time.time(), f"rs{int(time.time()) % 1_000_000}"
    counts = Counts(live)
    deaths = [kill_under_load(live, component, run, counts) for component in COMPONENTS]
    counts.settle()
    ended = time.time()
    poll_until(lambda: arrived(live, deaths[-1]), "the last lines and spans are stored", 30, interval=2)
    stored = {name: len(spans_stored(live.jaeger, name, start=begun, end=ended)) for name in SERVICES}
    # Last: looking for what was accepted makes lines and spans of its own.
    search = Search(live)
    found = [search.of(death) for death in deaths]
    told = told_of(found, counts.created, stored, seconds=time.time() - begun)
    print("\n" + told)
    report = live.view().root / "reports" / "resilience.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(f"# Every component killed under load\n\n{told}", encoding="utf-8")
    return [text for one in found for text in faults_of(one)]


def arrived(live: Any, death: Death) -> bool:
    """Whether the lines and spans of a death are stored."""
    return Search(live).arrived(death)


def told_of(
    found: list[Found], created: Mapping[str, float], stored: Mapping[str, int], *, seconds: float
) -> str:
    """The report: a row for each component, and spans created beside spans stored."""
    spans = "\n".join(
        f"- {name}: {int(created[name])} counted as made, {stored[name]} stored" for name in SERVICES
    )
    return (
        f"{table([one.row for one in found])}\n\n"
        f"The whole run took {seconds:.0f} s. Its spans; a killed process takes some along uncounted:\n\n"
        f"{spans}\n"
    )
