"""docker-compose.yml keeps its promises: pinned, private, confined, rotated, started in order."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill.binaries import locate

SERVICES = yaml.safe_load((Path(__file__).parents[2] / "docker-compose.yml").read_text(encoding="utf-8"))[
    "services"
]

# Images in which nothing can run a check, and processes that answer nothing.
WITHOUT_HEALTH_CHECK = {
    "collector": "FROM scratch",
    "log-collector": "FROM scratch",
    "tempo": "2.8 has no health flag, and its image no shell that is promised",
    "traffic": "listens nowhere; its absence shows in the metrics",
}
# service -> services that must be there before it starts.
ORDER = {
    "judgment": {"postgres", "redis"},
    "fds": {"postgres", "redis"},
    "traffic": {"judgment", "fds"},
    "promtail": {"loki"},
    "collector": {"jaeger"},
    "grafana": {"prometheus"},
}
TAG = re.compile(r"^[a-z0-9_./-]+:v?\d+(\.\d+)+[a-z0-9.-]*$")
HOST_PORT = re.compile(r"^127\.0\.0\.1:\$\{[A-Z0-9_]+_PORT:-\d+\}:\d+$")


@pytest.fixture(params=sorted(SERVICES))
def service(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Each service in turn."""
    return request.param, SERVICES[request.param]


def test_every_service_of_the_topology_is_there() -> None:
    """The walking skeleton's fourteen components and its traffic."""
    assert SERVICES.keys() >= {
        "judgment", "fds", "inbox", "traffic", "prometheus", "alertmanager", "loki", "promtail", "collector",
        "jaeger", "tempo", "grafana", "postgres", "redis", "node-exporter",
    }  # fmt: skip


def test_image_is_pinned(service: tuple[str, dict[str, Any]]) -> None:
    """A tag with at least two numbers, never latest, never none."""
    assert TAG.match(service[1]["image"]), service[1]["image"]


def test_ports_are_published_on_loopback_only(service: tuple[str, dict[str, Any]]) -> None:
    """Each published port can be moved in .env and is bound to 127.0.0.1."""
    for port in service[1].get("ports", ()):
        assert HOST_PORT.match(str(port)), port
    assert service[1].get("network_mode") != "host"


def test_health_is_checked_where_the_image_allows(service: tuple[str, dict[str, Any]]) -> None:
    """A check in every image that can run one, with all four times bounded."""
    name, block = service
    if name in WITHOUT_HEALTH_CHECK:
        assert "healthcheck" not in block, f"{name}: {WITHOUT_HEALTH_CHECK[name]}"
        return
    check = block["healthcheck"]
    assert check["test"][0] in ("CMD", "CMD-SHELL")
    assert {"interval", "timeout", "retries"} <= check.keys()


def test_service_is_confined(service: tuple[str, dict[str, Any]]) -> None:
    """No privileges, no capabilities, a read-only root and a user that is not root."""
    _, block = service
    assert not block.get("privileged")
    assert block["cap_drop"] == ["ALL"]
    assert not block.get("cap_add")
    assert block["read_only"] is True
    assert "no-new-privileges:true" in block["security_opt"]
    assert re.match(r"^[1-9]\d*:\d+$", block["user"])
    assert "docker.sock" not in str(block.get("volumes", ""))


def test_memory_and_logs_are_limited(service: tuple[str, dict[str, Any]]) -> None:
    """No container can take the machine's memory or fill its disk with its output."""
    _, block = service
    assert re.match(r"^\d+[mg]$", block["mem_limit"])
    options = block["logging"]["options"]
    assert {"max-size", "max-file"} <= options.keys()


def test_mounts_are_declared(
    service: tuple[str, dict[str, Any]], compose: dict[str, Any], root: Path
) -> None:
    """A named volume is declared; a mounted folder of the project exists and is read-only."""
    for mount in service[1].get("volumes", ()):
        source, *rest = re.sub(r"\$\{[A-Z_]+:-([^}]+)\}", r"\1", mount).split(":")
        if source.startswith((".", "/")):
            assert rest[-1] == "ro", f"{mount} could be written"
            assert (root / source).exists(), f"{mount}: {source} does not exist"
        else:
            assert source in compose["volumes"], f"{mount}: the volume is not declared"


def test_volumes_are_used(compose: dict[str, Any]) -> None:
    """No leftovers among the declared volumes."""
    mounted = {mount.split(":")[0] for block in SERVICES.values() for mount in block.get("volumes", ())}
    assert set(compose["volumes"]) <= mounted


def test_start_order(service: tuple[str, dict[str, Any]]) -> None:
    """What a service needs at its start comes first; nobody waits for a health that nobody checks."""
    name, block = service
    needs = block.get("depends_on", {})
    assert ORDER.get(name, set()) <= set(needs)
    for other, how in needs.items():
        assert other in SERVICES
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other], f"{name} would wait for {other} for ever"


def test_no_circle_in_the_start_order() -> None:
    """Every service can be started."""
    started: set[str] = set()
    while len(started) < len(SERVICES):
        free = {name for name, one in SERVICES.items() if set(one.get("depends_on", ())) <= started} - started
        assert free, f"a circle among {sorted(set(SERVICES) - started)}"
        started |= free


def test_restart_after_a_crash(service: tuple[str, dict[str, Any]]) -> None:
    """Nothing stays down by itself."""
    assert service[1]["restart"] in ("unless-stopped", "on-failure")


def test_retention_of_metrics_is_30_days() -> None:
    """Prometheus keeps 30 days and takes exemplars."""
    command = SERVICES["prometheus"]["command"]
    assert "--storage.tsdb.retention.time=30d" in command
    assert "--enable-feature=exemplar-storage" in command


def test_no_secret_stands_in_the_file(root: Path) -> None:
    """Passwords and tokens come from the environment."""
    text = (root / "docker-compose.yml").read_text(encoding="utf-8")
    for line in text.splitlines():
        if re.search(r"(PASSWORD|TOKEN|SECRET)\w*:\s", line):
            assert "${" in line, line


def test_services_of_one_image_take_their_own_port(service: tuple[str, dict[str, Any]]) -> None:
    """uvicorn listens on the port that the block publishes, without its own access log."""
    _, block = service
    command = block.get("command", [])
    if command[:1] != ["uvicorn"]:
        return
    port = command[command.index("--port") + 1]
    assert block["ports"][0].endswith(f":{port}")
    assert "--no-access-log" in command
    assert block["x-firedrill"]["ready"].endswith(f":{port}/health/ready")


def test_compose_accepts_the_file(root: Path) -> None:
    """`docker-compose config -q` of the pinned Compose, once it is in the cache."""
    binary = locate("docker-compose")
    if binary is None:
        pytest.skip("docker-compose is not built: `firedrill build docker-compose` gets it")
    done = subprocess.run(
        [str(binary), "-f", "docker-compose.yml", "config", "-q"],
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "not set" not in done.stderr, "a variable without a default"
