"""Files are put in place service by service; a component that refuses gets back what it had."""

from pathlib import Path, PurePosixPath

import pytest

from firedrill.errors import CheckFailed, StartError
from firedrill.reload.apply import apply
from firedrill.reload.candidate import Candidate, Piece
from firedrill.reload.check import check
from firedrill.topology import Topology, read_topology

PROJECT = Path(__file__).parents[3]


class Components:
    """Notes what it is asked to do; `refusing` answers with a reason, `broken` does not come back once."""

    def __init__(self, refusing: str = "", broken: str = "") -> None:
        self.refusing, self.broken = refusing, broken
        self.asked: list[str] = []

    def reload(self, service: str) -> str:
        """Over HTTP."""
        self.asked.append(f"reload {service}")
        return "no such receiver" if service == self.refusing else ""

    def signal(self, service: str) -> None:
        """SIGHUP."""
        self.asked.append(f"signal {service}")

    def restart(self, service: str) -> None:
        """Stop and start."""
        self.asked.append(f"restart {service}")
        if service == self.broken:
            self.broken = ""
            raise StartError(f"{service} is not ready")


@pytest.fixture(scope="module")
def topology() -> Topology:
    """The project's own."""
    return read_topology(PROJECT / "docker-compose.yml", {})


def _piece(folder: Path, service: str, content: bytes, *, live: bytes | None) -> Piece:
    path = folder / service / "config.yml"
    path.parent.mkdir(exist_ok=True)
    if live is not None:
        path.write_bytes(live)
    return Piece(service, PurePosixPath("/etc/config.yml"), path, path, content)


def test_each_touched_service_takes_its_files_in_its_way(tmp_path: Path, topology: Topology) -> None:
    """By HTTP, by signal, or by a restart; what did not change is left alone."""
    names = ("prometheus", "alertmanager", "collector", "loki", "postgres", "grafana")
    pieces = [_piece(tmp_path, name, b"new", live=b"old") for name in names]
    same = _piece(tmp_path, "jaeger", b"same", live=b"same")
    told: dict[str, str] = {}
    components = Components()
    apply(Candidate(topology, (*pieces, same)), components, say=told.__setitem__)
    assert components.asked == [
        "reload alertmanager",
        "signal collector",
        "restart loki",
        "reload prometheus",
    ]
    assert set(told) == set(names)
    assert "clean" in told["postgres"]
    assert all(piece.live.read_bytes() == b"new" for piece in pieces)


def test_what_is_refused_is_taken_back(tmp_path: Path, topology: Topology) -> None:
    """Changed files are what they were, new ones are gone, and those that went are back."""
    changed = _piece(tmp_path, "prometheus", b"new", live=b"old")
    fresh = Piece(
        "prometheus", PurePosixPath("/etc/x/fresh.yml"), changed.source, tmp_path / "x/fresh.yml", b"f"
    )
    gone = tmp_path / "prometheus" / "gone.yml"
    gone.write_bytes(b"gone")
    candidate = Candidate(topology, (changed, fresh), (("prometheus", gone),))
    with pytest.raises(CheckFailed, match="prometheus refuses") as refused:
        apply(candidate, Components(refusing="prometheus"), say=lambda service, outcome: None)
    assert refused.value.why == "no such receiver"
    assert changed.live.read_bytes() == b"old"
    assert not fresh.live.exists()
    assert gone.read_bytes() == b"gone"
    apply(candidate, Components(), say=lambda service, outcome: None)
    assert fresh.live.read_bytes() == b"f"
    assert not gone.exists()


def test_one_that_does_not_come_back_is_started_with_what_it_had(tmp_path: Path, topology: Topology) -> None:
    """A restart with the old files follows the one that failed."""
    piece = _piece(tmp_path, "loki", b"new", live=b"old")
    components = Components(broken="loki")
    with pytest.raises(StartError):
        apply(Candidate(topology, (piece,)), components, say=lambda service, outcome: None)
    assert components.asked == ["restart loki", "restart loki"]
    assert piece.live.read_bytes() == b"old"


def test_a_tool_that_is_not_there_is_told(tmp_path: Path, topology: Topology) -> None:
    """Nothing is said to be good that nobody looked at; the command's own words say which files are read."""
    seen: list[list[str]] = []

    def run(service: str, binary: str, words: object, folder: Path) -> tuple[int, str] | None:
        assert isinstance(words, list)
        seen.append([binary, *words])
        return None if service == "loki" else (0, "")

    pieces = tuple(
        Piece(service, PurePosixPath(f"/etc/{name}"), tmp_path / "source.yml", tmp_path / "live.yml", b"{}")
        for service, name in (
            ("loki", "loki/loki.yml"),
            ("collector", "otelcol/collector.yml"),
            ("collector", "otelcol/tempo.yml"),
        )
    )
    verdicts = {one.service: one.tool for one in check(Candidate(topology, pieces), tmp_path, run=run)}
    assert verdicts == {"loki": "", "collector": "otelcol"}
    assert seen[1] == [
        "otelcol",
        "validate",
        f"--config={tmp_path}/collector/etc/otelcol/collector.yml",
        f"--config={tmp_path}/collector/etc/otelcol/tempo.yml",
    ]
    assert (tmp_path / "collector/etc/otelcol/tempo.yml").read_bytes() == b"{}"


def test_a_containers_folders_are_there_for_its_checker(tmp_path: Path, topology: Topology) -> None:
    """The Collector's checker looks for the folder of its queue, which only its container has."""
    piece = Piece(
        "collector", PurePosixPath("/etc/otelcol/collector.yml"), tmp_path / "source", tmp_path / "live",
        b"directory: /var/lib/otelcol\nother: /srv/var/lib/otelcol\n",
    )  # fmt: skip
    seen: list[str] = []

    def run(service: str, binary: str, words: object, folder: Path) -> tuple[int, str] | None:
        seen.append((folder / "etc/otelcol/collector.yml").read_text())
        assert (folder / "var/lib/otelcol").is_dir()
        return 0, ""

    for contained in (True, False):
        found = Candidate(topology, (piece,), contained=contained)
        assert [one.finding for one in check(found, tmp_path / "scratch", run=run)] == [None]
    here = tmp_path / "scratch/collector/var/lib/otelcol"
    other = "other: /srv/var/lib/otelcol\n"
    assert seen == [f"directory: {here}\n{other}", f"directory: /var/lib/otelcol\n{other}"]
