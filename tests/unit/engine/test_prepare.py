"""Before the first container: the engine is asked, ports are looked at, images are pulled."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from firedrill.engine.messages import RegistryProblem
from firedrill.engine.prepare import Said, prepare, question
from firedrill.errors import EnvironmentProblem
from firedrill.topology import Topology, read_topology
from tests.unit.engine.docker_info import info

COMPOSE = """
services:
  web:
    image: firedrill/services:0.1.0
    ports: ["127.0.0.1:${WEB_PORT:-8010}:8010"]
    x-firedrill: {python: true}
  loki: {image: "grafana/loki:3.7.8", ports: ["127.0.0.1:${LOKI_PORT:-3100}:3100"], expose: ["9095"]}
  redis: {image: "redis:7.0.15-bookworm"}
  promtail: {image: "grafana/promtail:3.6.4", ports: ["127.0.0.1:${PROMTAIL_PORT:-9080}:9080"]}
  more: {image: "ghcr.io/google/cadvisor:v0.60.6", profiles: [cadvisor]}
"""


class Docker:
    """Answers as a docker command would; `pulled` are the images asked for."""

    def __init__(self, images: Sequence[str] = (), *, broken: str = "", says: str = "") -> None:
        self.images, self.broken, self.says = list(images), broken, says
        self.pulled: list[str] = []

    def __call__(self, *words: str, seconds: float) -> Said:
        assert seconds > 0
        if self.broken and self.broken in " ".join(words):
            return Said(1, "", self.says)
        if words[0] == "info":
            return Said(0, info(), "")
        if words[0] == "compose":
            return Said(0, "2.40.3\n", "")
        if words[0] == "images":
            return Said(0, "\n".join(self.images), "")
        self.pulled.append(words[-1])
        return Said(0, words[-1], "")


@pytest.fixture
def topology(tmp_path: Path) -> Topology:
    """A small stack."""
    path = tmp_path / "docker-compose.yml"
    path.write_text(COMPOSE)
    return read_topology(path, {})


def test_what_is_missing_is_pulled_and_said(topology: Topology) -> None:
    """A line for each image; what is built here, is there, or does not run is not asked for."""
    docker, said = Docker(["redis:7.0.15-bookworm"]), list[str]()
    prepare(
        topology, without=["promtail"], profiles=[], taken=lambda port: False, say=said.append, ask=docker
    )
    assert docker.pulled == ["grafana/loki:3.7.8"]
    assert said[0].startswith("1 images are missing")
    assert "1 of 1: grafana/loki:3.7.8" in said[1]


def test_a_profile_brings_its_image(topology: Topology) -> None:
    """And one that is not on does not."""
    docker = Docker(["redis:7.0.15-bookworm", "grafana/loki:3.7.8", "docker.io/grafana/promtail:3.6.4"])
    prepare(topology, without=[], profiles=["cadvisor"], taken=None, say=lambda line: None, ask=docker)
    assert docker.pulled == ["ghcr.io/google/cadvisor:v0.60.6"]


def test_nothing_is_pulled_when_all_is_there(topology: Topology) -> None:
    """A second start is silent."""
    said: list[str] = []
    docker = Docker(["redis:7.0.15-bookworm", "grafana/loki:3.7.8", "grafana/promtail:3.6.4"])
    prepare(topology, without=[], profiles=[], taken=None, say=said.append, ask=docker)
    assert (docker.pulled, said) == ([], [])


@pytest.mark.parametrize(
    ("says", "what"),
    [
        ('Error response from daemon: Get "https://registry.example/v2/": i/o timeout', "registry.example"),
        ("something new", "grafana/loki:3.7.8 cannot be pulled"),
    ],
)  # fmt: skip
def test_an_image_that_cannot_be_had_is_named(topology: Topology, says: str, what: str) -> None:
    """As a problem of the registry, known message or not."""
    docker = Docker(["redis:7.0.15-bookworm", "grafana/promtail:3.6.4"], broken="pull", says=says)
    with pytest.raises(RegistryProblem, match=what) as caught:
        prepare(topology, without=[], profiles=[], taken=None, say=lambda line: None, ask=docker)
    assert "RUNTIME=local" in caught.value.todo


def test_taken_ports_are_named_before_anything_is_pulled(topology: Topology) -> None:
    """All at once, with whose they are and the settings that move them; what does not run needs none."""
    docker = Docker()
    with pytest.raises(EnvironmentProblem, match=r"ports 3100 \(loki\), 8010 \(web\) are taken") as caught:
        prepare(
            topology, without=["promtail"], profiles=[], taken=lambda port: port != 9095,
            say=lambda line: None, ask=docker,
        )  # fmt: skip
    assert "LOKI_PORT, WEB_PORT" in caught.value.todo
    assert docker.pulled == []


def test_an_engine_that_will_do() -> None:
    """Both questions are answered."""
    assert question(Docker()).problem is None


@pytest.mark.parametrize(
    ("docker", "what"),
    [
        (Docker(broken="info", says="Cannot connect to the Docker daemon at unix:///x."), "no docker engine"),
        (Docker(broken="compose", says="docker: 'compose' is not a docker command."), "compose is not there"),
        (Docker(broken="info", says="a new message"), "`docker info --format` failed"),
    ],
)
def test_an_engine_that_will_not_do(docker: Docker, what: str) -> None:
    """The first of the two questions that is not answered."""
    problem = question(docker).problem
    assert problem is not None
    assert what in problem.what


def test_info_that_ends_well_without_an_engine() -> None:
    """Some clients end with 0 and tell the error within their answer."""

    def docker(*words: str, seconds: float) -> Said:
        return Said(0, '{"ServerErrors":["Cannot connect to the Docker daemon at unix:///x."]}', "")

    problem = question(docker).problem
    assert problem is not None
    assert "no docker engine answers" in problem.what


def test_no_docker_and_a_silent_one() -> None:
    """Nothing on PATH, and an engine that hangs."""

    def nothing(*words: str, seconds: float) -> Said:
        raise FileNotFoundError

    def hangs(*words: str, seconds: float) -> Said:
        raise subprocess.TimeoutExpired(words, seconds)

    for ask, what in ((nothing, "there is no docker"), (hangs, "does not answer")):
        problem = question(ask).problem
        assert problem is not None
        assert what in problem.what
