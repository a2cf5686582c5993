"""The stack on a real engine: up, healthy, confined, verified, drilled, reloaded, killed, and down."""

import json
import re
import time
from pathlib import Path
from typing import Any

import yaml

from firedrill.parity import read, save
from firedrill.parity.document import PARTS
from firedrill.parity.reading import settle
from firedrill.wait import poll_until
from tests.compose.containers import containers, faults_of, used
from tests.compose.killing import kill_under_load
from tests.compose.report import Report
from tests.compose.site import OWN_IMAGE, PARITY, Site
from tests.integration.resilience.killing import QUEUED_SECONDS, Counts
from tests.integration.resilience.search import Search
from tests.integration.resilience.search import faults_of as lost_of
from tests.integration.resilience.table import table
from tests.integration.starts import check_calm

SETTLE_SECONDS = 120.0
TRACES = 40  # by then also what background traffic does seldom has happened
KILLED = (
    # The services first: what the last one takes along is waited for.
    "fds", "ecommerce", "postgres", "redis", "prometheus", "alertmanager", "loki", "promtail", "collector",
    "jaeger", "tempo", "grafana", "inbox", "node-exporter", "postgres-exporter", "redis-exporter",
)  # fmt: skip


def all_blocks(site: Site) -> dict[str, Any]:
    """The services of the file under test."""
    found: dict[str, Any] = yaml.safe_load((site.checkout / "docker-compose.yml").read_text())["services"]
    return found


def blocks(site: Site) -> dict[str, Any]:
    """Those that run without a profile."""
    return {name: block for name, block in all_blocks(site).items() if not block.get("profiles")}


def test_the_file_under_test_is_the_one_that_users_run(stack: Site) -> None:
    """Byte for byte, with the service image's Dockerfile; only the images are stand-ins."""
    root = Path(__file__).parents[2]
    for name in ("docker-compose.yml", "services/Dockerfile", ".dockerignore"):
        assert (stack.checkout / name).read_bytes() == (root / name).read_bytes()


def test_everything_is_up_and_healthy(stack: Site, report: Report) -> None:
    """Every service runs, is healthy where its health is checked, and was started once."""
    found = containers(stack.engine)
    report.engine = (
        stack.engine.docker("version", "--format", "Engine {{.Server.Version}}").strip()
        + ", Compose "
        + (stack.engine.docker("compose", "version", "--short").strip())
    )
    assert found.keys() == blocks(stack).keys()
    wrong = {name: f"{one.state} {one.health}" for name, one in found.items() if not one.ready}
    assert wrong == {}
    assert {name: one.restarts for name, one in found.items() if one.restarts} == {}


def test_every_container_is_confined(stack: Site) -> None:
    """As inspected: user, uid of the process, read-only root, no capability, ports on loopback, no socket."""
    found, wanted = containers(stack.engine), blocks(stack)
    assert [text for name, one in found.items() for text in faults_of(one, wanted[name])] == []


def test_status_says_what_runs(stack: Site) -> None:
    """`make status` names each service as ready."""
    told = stack.must("status")
    for name in blocks(stack):
        assert re.search(rf"^{name} +ready", told, re.M), told


def test_verify_passes(stack: Site, report: Report) -> None:
    """Metrics, logs, traces and alerting hold data."""
    begin = time.monotonic()
    told = stack.must("verify", seconds=300)
    report.parts["make verify"] = time.monotonic() - begin
    assert ", 0 failed" in told.splitlines()[-1], told


def test_what_it_offers_is_written_down(stack: Site) -> None:
    """For tests/integration/test_parity.py, which compares it with the local runtime's."""
    view = stack.view()
    settle(view, http=stack.http, deadline_seconds=SETTLE_SECONDS)

    def traffic_was_everywhere() -> bool:
        now = time.time()
        return len(stack.jaeger.recent("workflow", start=now - 900, end=now, limit=TRACES)) == TRACES

    poll_until(traffic_was_everywhere, "background traffic has been everywhere", 240, interval=2)
    document = read(view, http=stack.http)
    assert {part for part in PARTS if not document[part]} == set()
    PARITY.parent.mkdir(exist_ok=True)
    save(PARITY, document)


def test_the_start_is_calm(stack: Site) -> None:
    """From the first evaluation on no alert fires for no reason."""
    done = stack.make("calm", "PAST=1", "MINUTES=60")
    check_calm(done, json.loads((stack.checkout / "reports/calm/calm.json").read_text("utf-8")))


def test_memory_stays_within_the_limits(stack: Site, report: Report) -> None:
    """No container is near its limit, none was killed for it."""
    found = containers(stack.engine)
    memory = used(stack.engine)
    report.take_memory(found, memory)
    near = {name: memory[one.id] for name, one in found.items() if memory[one.id] > 0.9 * one.limit}
    assert near == {}
    assert [name for name, one in found.items() if one.killed_for_memory] == []


def test_the_service_image_is_small(stack: Site, report: Report) -> None:
    """One image for all Python services: without compiler and package manager's caches, not root."""
    about: Any = stack.engine.inspect(blocks(stack)["fds"]["image"])[0]
    history = stack.engine.docker("history", "--format", "{{.Size}} {{.CreatedBy}}", about["Id"]).splitlines()
    layers = [line for line in history if not line.startswith("0B")]
    report.image.update({"size": f"{about['Size'] / 1e6:.0f} MB", "layers": len(about["RootFS"]["Layers"])})
    report.image.update({f"layer {number}": line[:100] for number, line in enumerate(layers, 1)})
    assert about["Config"]["User"] == "10001:10001"
    images = {one.about["Image"] for one in containers(stack.engine).values()
              if one.about["Config"]["Image"].startswith(OWN_IMAGE)}  # fmt: skip
    assert images == {about["Id"]}
    look = "for name in gcc cc g++ clang make uv; do command -v $name && exit 1; done; exit 0"
    stack.engine.docker("run", "--rm", "--network=none", "--entrypoint=sh", about["Id"], "-c", look)


def test_up_again_restarts_nothing(stack: Site, report: Report) -> None:
    """A second `make up` with nothing changed leaves every process as it is."""
    before = containers(stack.engine)
    begin = time.monotonic()
    stack.must("up")
    report.parts["make up, nothing changed"] = time.monotonic() - begin
    assert {name: one.pid for name, one in containers(stack.engine).items()} == {
        name: one.pid for name, one in before.items()
    }


def test_up_after_a_changed_line_replaces_the_python_services(stack: Site, report: Report) -> None:
    """Only the layer of the code is made anew, and only its containers are."""
    path = stack.checkout / "services/fds/rules.py"
    path.write_text(path.read_text() + "\n# changed\n")
    before = containers(stack.engine)
    begin = time.monotonic()
    stack.must("up")
    report.parts["make up, one line of fds changed"] = time.monotonic() - begin
    changed = {name for name, one in containers(stack.engine).items() if one.pid != before[name].pid}
    python = {name for name, block in blocks(stack).items() if block["image"].startswith(OWN_IMAGE)}
    assert changed == python


def test_reload_reaches_the_containers(stack: Site) -> None:
    """An edited rule is in the running Prometheus; a bad one is refused and leaves it as it was."""
    path = stack.checkout / "services/fds/alerts.yml"
    text = path.read_text()
    path.write_text(text.replace("alert: FDSSLAViolation", "alert: FDSSLAViolation2", 1))
    try:
        stack.must("reload")
        rules = f"{stack.view().url('prometheus')}/api/v1/rules"
        poll_until(lambda: "FDSSLAViolation2" in stack.http.get(rules).text, "the edited rule is there", 30)
        path.write_text("groups: [{name: a, rules: [{alert: B, expr: 'sum('}]}]\n")
        assert stack.make("reload").returncode != 0
        assert "FDSSLAViolation2" in stack.http.get(rules).text
    finally:
        path.write_text(text)
    stack.must("reload")


def test_drills(stack: Site, report: Report) -> None:
    """A fault by /faults and a stopped process: fires, is notified, clears."""
    for alert in ("FDSSLAViolation", "TargetDown"):
        begin = time.monotonic()
        stack.must("drill", f"NAME={alert}", seconds=600)
        report.parts[f"drill {alert}"] = time.monotonic() - begin


def test_every_backend_may_be_killed_under_load(stack: Site, report: Report) -> None:
    """Restarted by the engine, no accepted order lost, all lines in Loki."""
    assert stack.firedrill("stop", "traffic").returncode == 0
    begin, run = time.monotonic(), f"ck{int(time.time()) % 1_000_000}"
    time.sleep(QUEUED_SECONDS)
    counts = Counts(stack)
    deaths = [kill_under_load(stack, name, run, counts) for name in KILLED]
    time.sleep(QUEUED_SECONDS)
    logs = stack.volume("service-logs")
    poll_until(
        lambda: Search(stack, folder=logs).arrived(deaths[-1]), "the last lines are stored", 30, interval=2
    )
    search = Search(stack, folder=logs)
    found = [search.of(death) for death in deaths]
    report.kills = table([one.row for one in found])
    report.parts["kills"] = time.monotonic() - begin
    kills = {death.component: death.killed for death in deaths}
    assert [text for one in found for text in lost_of(one, kills)] == []
    assert stack.firedrill("start", "traffic").returncode == 0
    poll_until(lambda: containers(stack.engine)["traffic"].ready, "traffic runs again", 60)
    done = stack.firedrill("verify", "--json")
    assert [one["check"] for one in json.loads(done.stdout)["checks"] if one["result"] == "failed"] == []


def test_a_collector_takes_promtails_place(stack: Site, report: Report) -> None:
    """`LOGS=collector`: one log shipper stands in the other's place, and the same checks pass."""
    begin = time.monotonic()
    stack.must("up", "LOGS=collector")
    report.parts["make up LOGS=collector"] = time.monotonic() - begin
    shippers = {name for name, one in containers(stack.engine).items() if one.ready} & {
        "promtail", "log-collector",
    }  # fmt: skip
    assert shippers == {"log-collector"}
    found = containers(stack.engine)["log-collector"]
    assert list(faults_of(found, all_blocks(stack)["log-collector"])) == []
    told = stack.must("verify", "LOGS=collector", seconds=300)
    assert ", 0 failed" in told.splitlines()[-1], told


def test_down_leaves_nothing_running(stack: Site, report: Report) -> None:
    """Containers and network are gone; the data stays."""
    begin = time.monotonic()
    stack.must("down")
    report.parts["make down"] = time.monotonic() - begin
    assert stack.engine.docker("ps", "--all", "--quiet") == ""
    assert "firedrill_postgres-data" in stack.engine.docker("volume", "ls", "--quiet")
