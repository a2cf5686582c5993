"""What docker mounts and publishes: copies written in place, ports moved."""

import stat
from pathlib import Path, PurePosixPath

import pytest

from firedrill.copies import mounting, variables, write_copies
from firedrill.docker import compose_environ, moved_ports, topology
from firedrill.settings import Settings, read_settings

PROJECT = Path(__file__).parents[3]
DEMO = Settings({"PACE": "demo"})


def test_copies_are_written_in_place_and_only_where_they_differ(tmp_path: Path) -> None:
    """A running container has the very file mounted: it stays that file, and what changed is named."""
    first = write_copies(PROJECT, DEMO, tmp_path)
    rules = tmp_path / "services/fds/alerts.yml"
    before = rules.stat().st_ino
    assert PurePosixPath("services/fds/alerts.yml") in first
    assert write_copies(PROJECT, DEMO, tmp_path) == []
    rules.write_text("groups: []\n")
    (tmp_path / "config/loki/old.yml").write_text("{}")
    assert sorted(write_copies(PROJECT, DEMO, tmp_path)) == [
        PurePosixPath("config/loki/old.yml"), PurePosixPath("services/fds/alerts.yml"),
    ]  # fmt: skip
    assert rules.stat().st_ino == before
    assert not (tmp_path / "config/loki/old.yml").exists()


def test_every_container_can_read_the_copies(tmp_path: Path) -> None:
    """Whatever the caller's umask and the checkout's modes: each has a user of its own."""
    write_copies(PROJECT, DEMO, tmp_path)
    (tmp_path / "config/loki").chmod(0o700)
    (tmp_path / "config/loki/loki.yml").chmod(0o600)
    write_copies(PROJECT, DEMO, tmp_path)
    for path in tmp_path.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o044 == 0o044, path


def test_a_changed_copy_names_the_services_that_mount_it(tmp_path: Path) -> None:
    """They are started again; the others are left alone."""
    settings = read_settings(PROJECT, {})
    found = topology(PROJECT, settings, variables(settings, tmp_path))
    changed = [PurePosixPath("config/loki/loki.yml"), PurePosixPath("services/fds/alerts.yml")]
    assert set(mounting(found, changed, tmp_path)) == {"loki", "prometheus"}


def test_every_published_port_is_moved() -> None:
    """PORT_OFFSET moves the published side alone; inside the network the ports are what configs say."""
    settings = read_settings(PROJECT, {"PORT_OFFSET": "2000"})
    moved = topology(PROJECT, settings)
    plain = topology(PROJECT, read_settings(PROJECT, {"PORT_OFFSET": "0"}))
    for name, service in moved.services.items():
        for port, before in zip(service.ports, plain.services[name].ports, strict=True):
            assert port.container == before.container
            assert port.host == before.host + (2000 if port.variable else 0)
    assert moved_ports(plain, 2000) == moved_ports(moved, 0)


def test_profiles_that_follow_from_settings_outweigh_the_callers_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """COMPOSE_PROFILES may stand, empty, in the environment, while LOGS=collector needs one of its own."""
    monkeypatch.setenv("COMPOSE_PROFILES", "")
    monkeypatch.setenv("DOCKER_HOST", "unix:///engine")
    found = compose_environ({"COMPOSE_PROFILES": "", "PACE": "demo"}, {"COMPOSE_PROFILES": "log-collector"})
    assert found["COMPOSE_PROFILES"] == "log-collector"
    assert found["DOCKER_HOST"] == "unix:///engine"
    assert found["PACE"] == "demo"
