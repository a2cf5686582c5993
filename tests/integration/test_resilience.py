"""Every component killed under load: what was accepted is there afterwards, and other losses are counted."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from firedrill.wait import poll_until
from tests.integration.resilience.evidence import spans_ended
from tests.integration.resilience.killing import QUEUED_SECONDS, SERVICES, Counts, Death, kill_under_load
from tests.integration.resilience.search import STORES, Found, Search, faults_of
from tests.integration.resilience.table import table

COMPONENTS = (
    *STORES, "collector", "jaeger", "loki", "promtail", "prometheus", "alertmanager", "inbox", "ml", "fds",
    "judgment", "workflow", "ecommerce", "admin", "node-exporter", "postgres-exporter", "redis-exporter",
)  # fmt: skip
# The hardest for what stands in between: killed while what it holds cannot go on. Not so Promtail without
# Loki: by then it may have written down positions of lines that it still holds.
WHILE_AWAY = (("collector", "jaeger"),)


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
    # The services never fall quite silent, so there is nothing to wait for but the time that spans are held.
    time.sleep(QUEUED_SECONDS)
    begun, run = time.time(), f"rs{int(time.time()) % 1_000_000}"
    counts = Counts(live)
    components = (*COMPONENTS, *({"tempo"} & live.view().started))
    deaths = [kill_under_load(live, component, run, counts) for component in components]
    kills = {death.component: death.killed for death in deaths}
    deaths += [kill_under_load(live, name, run, counts, away=away) for name, away in WHILE_AWAY]
    time.sleep(QUEUED_SECONDS)
    last_lost, ended = counts.advance(), time.time()
    lost = {name: last_lost[name] + sum(death.lost[name] for death in deaths) for name in SERVICES}
    poll_until(lambda: arrived(live, deaths[-1]), "the last lines and spans are stored", 30, interval=2)
    # What was counted first had ended before, and was held meanwhile.
    stored = {
        name: len(spans_ended(live.jaeger, name, start=begun - QUEUED_SECONDS, end=ended))
        for name in SERVICES
    }
    # Last: looking for what was accepted makes lines and spans of its own.
    search = Search(live)
    found = [search.of(death) for death in deaths]
    told = told_of(found, counts.created, stored, seconds=time.time() - begun)
    print("\n" + told)
    report = live.view().root / "reports" / "resilience.md"
    report.parent.mkdir(exist_ok=True)
    report.write_text(f"# Every component killed under load\n\n{told}", encoding="utf-8")
    return [text for one in found for text in faults_of(one, kills)] + uncounted(counts.created, lost, stored)


def uncounted(
    created: Mapping[str, float], lost: Mapping[str, float], stored: Mapping[str, int]
) -> list[str]:
    """Services that have made more spans than are stored and counted as lost."""
    missing = {name: created[name] - lost[name] - stored[name] for name in created}
    return [
        f"{name}: {count:g} spans are neither stored nor counted as lost"
        for name, count in missing.items()
        if count > 0
    ]


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
