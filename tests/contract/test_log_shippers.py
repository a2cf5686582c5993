"""Promtail and the Collector that may stand in its place are told the same, each in its own words."""

import re
from pathlib import Path
from typing import Any

import yaml

CONFIG = Path(__file__).parents[2] / "config"


def load(name: str) -> Any:
    """A config file."""
    return yaml.safe_load((CONFIG / name).read_text(encoding="utf-8"))


COLLECTOR = load("log-collector/log-collector.yml")


def kept() -> set[str]:
    """What the Collector keeps of a line's fields."""
    (first, *_) = COLLECTOR["processors"]["transform"]["log_statements"]
    assert first.startswith("keep_keys(log.attributes, ")
    return set(re.findall(r'"(\w+)"', first))


def test_the_same_names_become_labels_and_metadata(expected: dict[str, Any]) -> None:
    """Loki makes labels of what it is told to; all else that the Collector keeps is structured metadata."""
    otlp = load("loki/loki.yml")["limits_config"]["otlp_config"]
    (labels,) = otlp["log_attributes"]
    assert labels["action"] == "index_label"
    assert set(labels["attributes"]) == set(expected["loki-labels"])
    assert kept() - set(labels["attributes"]) == set(expected["loki-metadata"])
    assert otlp["resource_attributes"] == {"ignore_defaults": True}


def test_the_same_files_are_read_to_their_end() -> None:
    """By both, from the beginning, with a position that is kept."""
    paths = {
        job["static_configs"][0]["labels"]["__path__"]
        for job in load("promtail/promtail.yml")["scrape_configs"]
    }
    receivers = COLLECTOR["receivers"]
    assert {path for one in receivers.values() for path in one["include"]} == paths
    for one in receivers.values():
        assert one["start_at"] == "beginning"
        assert one["storage"] in COLLECTOR["service"]["extensions"]


def test_nothing_is_given_up() -> None:
    """Neither shipper stops trying; the Collector's queue is on disk, and a position follows the queue."""
    (client,) = load("promtail/promtail.yml")["clients"]
    assert client["backoff_config"]["max_retries"] == 0
    exporter = COLLECTOR["exporters"]["otlp_http/loki"]
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"
    assert exporter["sending_queue"]["storage"] == "file_storage"
    for one in COLLECTOR["receivers"].values():
        assert one["retry_on_failure"] == {
            **one["retry_on_failure"],
            "enabled": True,
            "max_elapsed_time": "0s",
        }
    compose = yaml.safe_load((CONFIG.parent / "docker-compose.yml").read_text(encoding="utf-8"))["services"]
    assert "--feature-gates=stanza.synchronousLogEmitter" in compose["log-collector"]["command"]


def test_both_collectors_are_of_one_image_and_mount_the_same_logs(compose: dict[str, Any]) -> None:
    """One version to keep; and no file that only one of the shippers sees."""
    services = compose["services"]
    assert services["log-collector"]["image"] == services["collector"]["image"]
    logs = [
        {mount for mount in services[name]["volumes"] if "/var/log/" in mount}
        for name in ("promtail", "log-collector")
    ]
    assert logs[0] == logs[1]
    assert len(logs[0]) == 2
