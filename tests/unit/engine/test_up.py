"""`firedrill up` with a docker that is a script: what a user reads, and that nothing half-started stays."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.unit.engine.docker_info import info

ROOT = Path(__file__).parents[3]
SCRIPT = """#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
say() { [ ! -s "$here/$1" ] || { cat "$here/$1" >&2; exit 1; }; }
case "$*" in
  info*) say no-engine; cat "$here/info";;
  "compose version"*) say no-compose; echo 2.40.3;;
  images*) cat "$here/images";;
  pull*) say no-registry;;
  *" ps "*) cat "$here/ps";;
  *" up "*) say no-start;;
esac
"""


@dataclass(frozen=True)
class Machine:
    """A copy of the project and a docker of our own."""

    folder: Path

    def tell(self, name: str, text: str) -> None:
        """What docker says in one case."""
        (self.folder / "bin" / name).write_text(text)

    def up(self, **settings: str) -> "subprocess.CompletedProcess[str]":
        """Run the command."""
        environ = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "FIREDRILL_PROJECT": str(self.folder / "project"),
            "FIREDRILL_STATE": str(self.folder / "state"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "RUNTIME": "docker",
            # Off the ports that a stack of this machine may have.
            "PORT_OFFSET": "13900",
            **settings,
        }
        return subprocess.run(
            [sys.executable, "-m", "firedrill.cli", "up", "--quiet"],
            cwd=ROOT, env=environ, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip

    @property
    def calls(self) -> list[str]:
        """What docker was asked, without the compose file's name."""
        text = (self.folder / "bin" / "calls").read_text()
        return [
            line.replace(f"-f {self.folder}/project/docker-compose.yml ", "") for line in text.splitlines()
        ]

    @property
    def marked(self) -> bool:
        """Whether a running stack is remembered."""
        return (self.folder / "state" / "docker.json").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """All images are there, nothing runs."""
    project, commands = tmp_path / "project", tmp_path / "bin"
    for name in ("config", "services"):
        shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("*.py", "__pycache__"))
    for name in ("docker-compose.yml", ".env.example"):
        shutil.copyfile(ROOT / name, project / name)
    commands.mkdir()
    (commands / "docker").write_text(SCRIPT)
    (commands / "docker").chmod(0o755)
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"].values()
    made = Machine(tmp_path)
    for name, text in {
        "info": info(), "images": "\n".join({one["image"] for one in services}), "ps": "", "calls": "",
    }.items():  # fmt: skip
        made.tell(name, text)
    return made


@pytest.mark.parametrize(
    ("name", "said", "what"),
    [
        ("no-engine", "Cannot connect to the Docker daemon at unix:///x. Is it running?", "no docker engine"),
        ("no-engine", "permission denied while trying to connect to the Docker daemon socket", "you may not"),
        ("no-compose", "docker: 'compose' is not a docker command.", "docker compose is not there"),
        ("info", info(ServerVersion="19.03.1"), "the docker engine is too old"),
        ("info", info(SecurityOptions=["name=rootless"], CgroupDriver="none"), "rootless docker engine"),
    ],
)
def test_an_engine_that_cannot_run_it(machine: Machine, name: str, said: str, what: str) -> None:
    """One message with the way without containers; nothing was begun."""
    machine.tell(name, said)
    done = machine.up()
    assert done.returncode == 1
    assert done.stderr.startswith(what) or what in done.stderr.splitlines()[0]
    assert "make up RUNTIME=local" in done.stderr
    assert "Traceback" not in done.stderr
    assert not [call for call in machine.calls if " up " in call or call.startswith("pull")]
    assert not machine.marked


def test_a_registry_that_cannot_be_reached(machine: Machine) -> None:
    """Progress, then the message; no container was made."""
    machine.tell("images", "")
    machine.tell("no-registry", 'Error response from daemon: Get "https://registry.example/v2/": i/o timeout')
    done = machine.up()
    assert done.returncode == 1
    assert "images are missing and are pulled" in done.stdout
    assert "the registry registry.example cannot be reached" in done.stderr
    assert not [call for call in machine.calls if " up " in call]
    assert not machine.marked


def test_what_compose_says_at_the_start_ends_what_it_began(machine: Machine) -> None:
    """A port that is taken meanwhile: the containers that came before it are removed."""
    machine.tell("no-start", "Error: Bind for 127.0.0.1:5432 failed: port is already allocated")
    done = machine.up()
    assert done.returncode == 1
    assert "port 5432 is taken" in done.stderr
    assert [call.split()[1] for call in machine.calls[-2:]] == ["up", "--profile=*"]
    assert machine.calls[-1].endswith(" down")
    assert not machine.marked


def test_the_log_shipper_is_changed_in_a_running_stack(machine: Machine) -> None:
    """Promtail's container goes with LOGS=collector, and the Collector's when it is no longer asked for."""
    assert machine.up(LOGS="collector").returncode == 0
    (start,) = [call for call in machine.calls if " up " in call]
    assert "--scale=promtail=0" in start
    machine.tell("ps", '{"Service":"log-collector","State":"running","Health":"","Status":"Up"}')
    machine.tell("calls", "")
    assert machine.up().returncode == 0
    assert "compose --profile=* rm --stop --force log-collector" in machine.calls
    assert machine.marked


def test_docker_desktop_goes_without_the_machine(machine: Machine) -> None:
    """node-exporter is neither started nor scraped."""
    machine.tell("info", info(OperatingSystem="Docker Desktop"))
    done = machine.up()
    assert done.returncode == 0
    assert "without node-exporter" in done.stdout
    assert [call for call in machine.calls if "--scale=node-exporter=0" in call]
    targets = machine.folder / "state" / "docker" / "config" / "prometheus" / "targets"
    assert "node-exporter" not in {path.stem for path in targets.glob("*.yml")}
