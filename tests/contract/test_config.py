"""Configs agree with the topology and the signals: labels, ports, peers, rule files, uids, settings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
TARGETS = sorted((CONFIG / "prometheus/targets").glob("*.yml"))
YAML_FILES = sorted(path for path in CONFIG.rglob("*.yml") if path.name != "datasources.yml")
# Loki puts these on every stream by itself; Promtail's own `filename` is dropped.
DROPPED = {"filename"}
VARIABLE = re.compile(r"\$\{([A-Z][A-Z0-9_]*)")


def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def container_ports(name: str) -> set[int]:
    """The ports that a service of the topology publishes or exposes, as seen by its peers."""
    block = COMPOSE[name]
    named = [str(one).rsplit(":", 1)[-1] for one in block.get("ports", ())]
    return {int(one) for one in (*named, *(str(port) for port in block.get("expose", ())))}


def strings(node: Any) -> Iterator[str]:
    """Every text in a parsed document."""
    if isinstance(node, dict):
        for value in node.values():
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


@pytest.mark.parametrize("path", TARGETS, ids=lambda path: path.stem)
def test_targets_carry_system_job_and_instance_and_never_service(path: Path) -> None:
    """Several metrics have a label `service` of their own; a target's would hide it."""
    for entry in load(path):
        assert entry["labels"].keys() == {"system", "job", "instance"}
        for target in entry["targets"]:
            host, port = target.split(":")
            assert host == path.stem, f"{target} is not of {path.stem}"
            assert int(port) in container_ports(host), f"{target} is not a port of {host}"


def test_every_service_of_the_signals_is_a_target(expected: dict[str, Any]) -> None:
    """Job and system of the demo services are the fixed ones."""
    for name, service in expected["services"].items():
        (entry,) = load(CONFIG / f"prometheus/targets/{name}.yml")
        assert entry["labels"] == {"system": service["system"], "job": service["job"], "instance": name}
        assert entry["targets"] == [f"{name}:{service['port']}"]


def test_no_scrape_config_sets_a_label_service() -> None:
    """Neither by static labels nor by relabelling."""
    for scrape in load(CONFIG / "prometheus/prometheus.yml")["scrape_configs"]:
        for rule in (*scrape.get("relabel_configs", ()), *scrape.get("metric_relabel_configs", ())):
            assert rule.get("target_label") != "service"
        for static in scrape.get("static_configs", ()):
            assert "service" not in static.get("labels", {})
        assert not scrape.get("honor_labels"), "a service could overwrite job and instance"


def test_rule_files_exist_and_every_slice_is_loaded() -> None:
    """Prometheus ignores a glob without a match, so that a missing file would stay unseen."""
    named = load(CONFIG / "prometheus/prometheus.yml")["rule_files"]
    folder = {"services": ROOT / "services", "config": CONFIG}
    for one in named:
        head, _, rest = one.partition("/")
        matches = list(folder[head].glob(rest))
        assert matches, f"rule_files names {one}, and there is no such file"
    loaded = {path for one in named for path in folder[one.split("/")[0]].glob(one.partition("/")[2])}
    assert set((ROOT / "services").glob("*/alerts.yml")) <= loaded


def test_loki_labels_are_the_fixed_few(expected: dict[str, Any]) -> None:
    """Labels are bounded; ids go to structured metadata, or each request would be a stream of its own."""
    for scrape in load(CONFIG / "promtail/promtail.yml")["scrape_configs"]:
        labels: set[str] = set()
        metadata: set[str] = set()
        for stage in scrape["pipeline_stages"]:
            labels |= set(stage.get("labels", {})) | set(stage.get("static_labels", {}))
            metadata |= set(stage.get("structured_metadata", {}))
        for static in scrape.get("static_configs", ()):
            labels |= {name for name in static["labels"] if not name.startswith("__")}
        dropped = {name for stage in scrape["pipeline_stages"] for name in stage.get("labeldrop", ())}
        assert labels == set(expected["loki-labels"])
        assert metadata == set(expected["loki-metadata"])
        assert dropped >= DROPPED


def test_loki_stores_as_written() -> None:
    """Schema v13 on tsdb, the given limits, seven days, deleted by the compactor."""
    loki = load(CONFIG / "loki/loki.yml")
    (schema,) = loki["schema_config"]["configs"]
    assert (schema["schema"], schema["store"], schema["index"]["period"]) == ("v13", "tsdb", "24h")
    limits = loki["limits_config"]
    assert limits["reject_old_samples_max_age"] == "168h"
    assert (limits["ingestion_rate_mb"], limits["ingestion_burst_size_mb"]) == (16, 32)
    assert limits["retention_period"] == "168h"
    assert loki["compactor"]["retention_enabled"] is True
    assert loki["compactor"]["delete_request_store"]


def test_traces_are_kept_seven_days() -> None:
    """By both backends, on a disk."""
    assert load(CONFIG / "tempo/tempo.yml")["compactor"]["compaction"]["block_retention"] == "168h"
    jaeger = load(CONFIG / "jaeger/jaeger.yml")["extensions"]["jaeger_storage"]
    badger = jaeger["backends"]["badger"]["badger"]
    assert badger["ephemeral"] is False
    assert badger["ttl"]["spans"] == "168h"


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_configs_bind_only_known_ports(path: Path) -> None:
    """What a config binds on all addresses is a port that docker-compose.yml gives to that service."""
    component = path.relative_to(CONFIG).parts[0]
    text = path.read_text(encoding="utf-8")
    bound = {int(port) for port in re.findall(r"0\.0\.0\.0:(\d+)", text)}
    bound |= {int(port) for port in re.findall(r"host: 0\.0\.0\.0, port: (\d+)", text)}
    server = (load(path) or {}).get("server", {}) if isinstance(load(path), dict) else {}
    for kind in ("http", "grpc"):
        port = server.get(f"{kind}_listen_port", 0)
        address = server.get(f"{kind}_listen_address", "0.0.0.0")
        if port and not address.startswith("127."):
            bound.add(port)
    if bound:
        assert bound <= container_ports(component), f"{component} binds {sorted(bound)}"
    assert not re.search(r"""\[::\]:\d|["' ]:\d{4,5}\b""", text), "binds all addresses without saying so"


@pytest.mark.parametrize("path", YAML_FILES, ids=lambda path: str(path.relative_to(CONFIG)))
def test_peers_are_services_of_the_topology(path: Path) -> None:
    """A name and port in a config is a service that offers this port."""
    for text in strings(load(path)):
        for host, port in re.findall(r"(?:^|//|@)([a-z][a-z-]*):(\d{4,5})(?=/|$)", text):
            if host == "localhost":
                continue
            assert host in COMPOSE, f"{text}: no service {host}"
            assert int(port) in container_ports(host), f"{text}: {host} has no port {port}"


def test_commands_and_environments_name_known_peers() -> None:
    """Addresses in docker-compose.yml itself."""
    for name, block in COMPOSE.items():
        for text in strings([block.get("command", []), block.get("environment", {})]):
            for host, port in re.findall(r"(?:^|//|@)([a-z][a-z-]*):(\d{4,5})(?=/|$)", text):
                assert host in COMPOSE, f"{name}: {text}: no service {host}"
                assert int(port) in container_ports(host), f"{name}: {text}: {host} has no port {port}"


def test_datasources_have_fixed_uids_and_known_links() -> None:
    """Dashboards and links between signals refer to uids."""
    sources = load(CONFIG / "grafana/provisioning/datasources/datasources.yml")["datasources"]
    uids = {one["uid"]: one for one in sources}
    assert uids.keys() == {"prometheus", "loki", "jaeger", "tempo", "alertmanager"}
    linked = set(re.findall(r"'datasourceUid': '([a-z]+)'", str(sources)))
    assert linked <= uids.keys()
    for uid, source in uids.items():
        host, port = source["url"].removeprefix("http://").split(":")
        assert host == uid
        assert int(port) in container_ports(host)
    exemplars = uids["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert [one["name"] for one in exemplars] == ["trace_id"]


def test_every_variable_of_the_topology_is_a_documented_setting() -> None:
    """${VAR} of docker-compose.yml stands in .env.example with a comment, and has a default."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = set(VARIABLE.findall(text))
    settings = documented_settings()
    assert not used - settings.keys(), f"not in .env.example: {sorted(used - settings.keys())}"
    bare = re.findall(r"\$\{[A-Z0-9_]+\}", text)
    assert not bare, f"without a default: {bare}"


def test_every_setting_is_used() -> None:
    """A setting of .env.example is read by docker-compose.yml or by the firedrill command."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    used = set(VARIABLE.findall(text))
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "firedrill").rglob("*.py"))
    unused = [name for name in documented_settings() if name not in used and f'"{name}"' not in code]
    assert not unused, f"settings that nothing reads: {unused}"


def test_defaults_agree() -> None:
    """docker-compose.yml alone and with .env.example mean the same; secrets are left to .env."""
    text = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
    defaults = dict(re.findall(r"\$\{([A-Z][A-Z0-9_]*):-([^}]*)\}", text))
    differing = {
        name: (default, value)
        for name, default in defaults.items()
        if (value := documented_settings()[name]) and value != default
    }
    assert not differing


def documented_settings() -> dict[str, str]:
    """The settings of .env.example with their values; each must have a comment above it or its block."""
    found: dict[str, str] = {}
    comment = False
    for line in (ROOT / ".env.example").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            comment = True
        elif "=" in line:
            name, _, value = line.partition("=")
            assert comment, f".env.example: {name} has no comment"
            found[name] = value
        else:
            comment = False
    return found
