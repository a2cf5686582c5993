"""Which drills there are, how each went last, and why one cannot run from here."""

import json
from pathlib import Path
from types import MappingProxyType

import pytest

from console.drills.catalogue import declared, drill_of, last_of, own_results, result_folders, rows
from console.drills.peers import Peers, running_stack, why_not
from console.settings import Settings
from firedrill.errors import EnvironmentProblem, UsageError

ROOT = Path(__file__).resolve().parents[4]
SERVICES = {name: f"http://{name}:1" for name in ("judgment", "workflow", "ecommerce", "fds")}


def settings(**more: str) -> Settings:
    """Those of a container."""
    environ = {f"{name.upper()}_URL": url for name, url in SERVICES.items()}
    return Settings.from_environment(
        {**environ, "FAULTS_TOKEN": "t", "PACE": "demo", "TMPDIR": "/tmp", **more}
    )


def result(folder: Path, name: str, at: float, *, passed: bool = True) -> None:
    """Keep a last result as the command does."""
    steps = [
        {
            "name": "notified",
            "since": "fault",
            "seconds": 36.0,
            "at": at,
            "least": 34.5,
            "deadline": 60.0,
            "text": "",
        }
    ]
    document = {
        "passed": passed,
        "started_at": at,
        "seconds": 88.0,
        "pace": "demo",
        "failed_step": "" if passed else "signal",
        "failure": "",
        "steps": steps,
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(document), "utf-8")


def test_every_drill_of_the_project_is_listed() -> None:
    """Those of the services and of the platform."""
    found = declared(settings())
    assert {"judgment", "workflow", "fds", "ecommerce", "platform"} <= {one.slice for one in found}
    assert drill_of(found, "fds/FDSSLAViolation").alert == "FDSSLAViolation"
    with pytest.raises(UsageError, match="no drill"):
        drill_of(found, "Nothing")


def test_the_latest_result_of_all_places_counts(tmp_path: Path) -> None:
    """A drill of the command line and one of the console; what cannot be read is none."""
    drill = drill_of(declared(settings()), "fds/FDSSLAViolation")
    result(tmp_path / "a", "fds-FDSSLAViolation.json", 100.0, passed=False)
    result(tmp_path / "b", "fds-FDSSLAViolation.json", 200.0)
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "fds-FDSSLAViolation.json").write_text('{"passed": true}', "utf-8")
    found = last_of(drill, [tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "none"])
    assert found is not None
    assert (found.at, found.passed, found.notified, found.cleared) == (200.0, True, (36.0, 34.5), None)
    assert last_of(drill, [tmp_path / "none"]) is None


def test_the_local_runtime_keeps_results_in_its_state(tmp_path: Path) -> None:
    """They survive the console; a container's last as long as it runs."""
    local = settings(FIREDRILL_STATE=str(tmp_path))
    assert own_results(local).is_relative_to(tmp_path)
    result(own_results(local), "fds-FDSSLAViolation.json", 9e12)
    row = next(one for one in rows(declared(local), local) if one.name == "fds/FDSSLAViolation")
    assert row.last is not None
    assert (row.last.at, row.takes) == (9e12, 88.0)
    assert own_results(local) in result_folders(local)


def test_a_container_says_why_it_stops_no_process(tmp_path: Path) -> None:
    """The local runtime can; what both lack is the token."""
    found = declared(settings())
    stops = drill_of(found, "platform/TargetDown")
    breaks = drill_of(found, "fds/FDSSLAViolation")
    assert "make drill NAME=TargetDown" in why_not(stops, settings())
    assert why_not(stops, settings(FIREDRILL_STATE=str(tmp_path))) == ""
    assert why_not(breaks, settings()) == ""
    assert "FAULTS_TOKEN" in why_not(breaks, settings(FAULTS_TOKEN=""))


def test_a_container_finds_its_peers_by_the_environment() -> None:
    """Addresses, pace and token are all that a drill of a fault needs."""
    known = settings(PROMETHEUS_URL="http://prometheus:9090")
    peers = running_stack(known, MappingProxyType({}))
    assert isinstance(peers, Peers)
    assert (peers.url("prometheus"), peers.url("fds")) == ("http://prometheus:9090", "http://fds:1")
    assert (peers.pace, peers.runtime, peers.settings) == ("demo", "docker", {"FAULTS_TOKEN": "t"})
    assert {"prometheus", "loki", "jaeger", "fds"} <= peers.started
    with pytest.raises(UsageError, match="no address of kerp"):
        peers.url("kerp")
    with pytest.raises(EnvironmentProblem, match="cannot stop fds"):
        peers.stop_service("fds")
