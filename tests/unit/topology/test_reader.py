"""Reading docker-compose.yml strictly."""

from pathlib import Path

import pytest

from firedrill.errors import TopologyError
from firedrill.topology import Dependency, Mount, Port, Ready, Topology, read_topology

WHOLE = """
name: demo
x-hardened: &hardened
  restart: unless-stopped
  cap_drop: [ALL]
  environment: {SHARED: "1"}
services:
  web:
    <<: *hardened
    image: example/web:1
    command: serve --port 8010 "two words"
    environment: {TOKEN: "${TOKEN:-none}", FLAG: true, NUMBER: 7}
    ports: ["127.0.0.1:${WEB_PORT:-8010}:8010", {target: 9000, published: "9100"}]
    expose: ["9001"]
    volumes:
      - ./config/web:/etc/web:ro
      - logs:/var/log/web
      - {type: tmpfs, target: /run}
    tmpfs: /tmp:size=8m
    depends_on: {db: {condition: service_healthy}}
    stop_grace_period: 1m30s
    stop_signal: SIGINT
    x-firedrill: {python: true, ready: "http://self:8010/ready", drop_environment: [TOKEN]}
  db:
    image: example/db:1
    restart: on-failure:3
    profiles: [extra]
    x-firedrill: {system: postgres, local: off}
volumes: {logs: }
"""


def read(folder: Path, text: str, **variables: str) -> Topology:
    path = folder / "docker-compose.yml"
    path.write_text(text)
    return read_topology(path, variables)


def service(body: str) -> str:
    return f"services:\n  web:\n    image: x\n{body}\nvolumes: {{data: }}\n"


def test_a_whole_service_is_read(tmp_path: Path) -> None:
    """Anchors, variables, short and long forms end as plain values."""
    web = read(tmp_path, WHOLE, WEB_PORT="18010").services["web"]
    assert web.command == ("serve", "--port", "8010", "two words")
    assert web.environment == {"TOKEN": "none", "FLAG": "true", "NUMBER": "7"}
    assert web.ports == (Port(8010, 18010, "WEB_PORT"), Port(9000, 9100), Port(9001, 9001))
    assert web.mounts == (
        Mount("bind", "./config/web", "/etc/web", read_only=True),
        Mount("volume", "logs", "/var/log/web"),
        Mount("tmpfs", "", "/run"),
        Mount("tmpfs", "", "/tmp"),
    )
    assert web.depends_on == (Dependency("db", "service_healthy"),)
    assert (web.stop_grace_seconds, web.stop_signal, web.restart) == (90.0, "SIGINT", "unless-stopped")
    assert web.hints.ready == Ready("http", 8010, "/ready")
    assert (web.hints.python, web.hints.drop_environment) == (True, ("TOKEN",))


def test_the_other_service_is_read_too(tmp_path: Path) -> None:
    """A retry count of `on-failure` is left aside; `off` stays a word and does not become false."""
    db = read(tmp_path, WHOLE).services["db"]
    assert (db.restart, db.profiles, db.hints.system, db.hints.local) == (
        "on-failure",
        ("extra",),
        "postgres",
        "off",
    )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("    gpus: all", r":4: service web: compose feature 'gpus' is not known to the local runtime"),
        ("    ports: ['8000-8010:8000']", "service web: ports cannot be used"),
        ("    ports: ['70000:80']", "service web: ports cannot be used"),
        ("    ports: ['53:53/udp']", "service web: ports cannot be used"),
        ("    volumes: ['/data']", "service web: volumes cannot be used"),
        ("    volumes: ['other:/data']", "the volume 'other' is not declared"),
        ("    depends_on: [nobody]", "depends on nobody"),
        ("    depends_on: [web]", "wait for each other: web → web"),
        ("    restart: sometimes", "restart cannot be used"),
        ("    stop_grace_period: soon", "stop_grace_period cannot be used"),
        ("    environment: [TOKEN]", "environment cannot be used"),
        ("    x-firedrill: {binry: prometheus}", "x-firedrill cannot be used"),
        ("    x-firedrill: {ready: 'udp://self:1'}", "x-firedrill cannot be used"),
        ("    x-firedrill: {ready: 'tcp://self:99'}", "ready asks port 99"),
        ("    command: '${NOWHERE}'", "the value '\\${NOWHERE}' cannot be used"),
        ("    image: y", "the key 'image' stands twice"),
    ],
)
def test_what_is_not_understood_is_refused(tmp_path: Path, body: str, says: str) -> None:
    """Nothing is ignored in silence: the message has file, line, service and key."""
    with pytest.raises(TopologyError, match=says) as caught:
        read(tmp_path, service(body))
    assert str(caught.value).startswith("docker-compose.yml:")


def test_an_unknown_feature_at_the_top_is_refused(tmp_path: Path) -> None:
    """As inside a service."""
    with pytest.raises(TopologyError, match="compose feature 'include' is not known"):
        read(tmp_path, "include: [other.yml]\nservices: {}\n")


def test_broken_yaml_is_placed(tmp_path: Path) -> None:
    """File, line, column and what to do."""
    with pytest.raises(TopologyError) as caught:
        read(tmp_path, "services:\n  web:\n\timage: x\n")
    assert "docker-compose.yml, line 3, column 1: this is not YAML" in str(caught.value)
    assert "do:" in str(caught.value)


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    """With the next step."""
    with pytest.raises(TopologyError, match="cannot be read"):
        read_topology(tmp_path / "docker-compose.yml", {})


def test_what_shapes_containers_only_is_accepted_knowingly(tmp_path: Path) -> None:
    """Limits, capabilities, users and health checks inside an image have no meaning for a process here."""
    body = "    user: '1:1'\n    mem_limit: 1g\n    healthcheck: {test: [NONE]}\n    x-mine: 1"
    assert set(read(tmp_path, service(body)).services) == {"web"}
