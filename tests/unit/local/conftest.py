"""Fixtures of the local runtime's tests."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from firedrill.local.layout import Layout
from firedrill.local.processes import Identity, end_all
from tests.unit.local.rig import SERVER, Rig


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    project = tmp_path / "project"
    project.mkdir()
    (project / "server.py").write_text(SERVER)
    made = Rig(project, Layout(tmp_path / "state"))
    yield made
    for supervisor in made.supervisors:
        if supervisor.poll() is None:
            supervisor.kill()
        supervisor.wait()
    noted = made.layout.processes_file
    leaders = json.loads(noted.read_text())["processes"] if noted.exists() else []
    end_all([Identity(pid, born) for pid, born in leaders], mark=made.instance or None, grace_seconds=1)
