"""The GitHub workflow: it parses, calls only what exists, and takes no action or image that can move."""

import importlib.util
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from firedrill.cli import cli
from firedrill.settings import read_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / ".github" / "workflows" / "ci.yml"
TEXT = FILE.read_text(encoding="utf-8")
USES = re.compile(r"^\s*(?:- )?uses: (?P<action>\S+)(?: # (?P<version>\S+))?$", re.M)


@pytest.fixture(scope="module")
def workflow() -> dict[str, Any]:
    """The parsed file; `on` is a truth value in YAML 1.1, so it is not looked at."""
    found: dict[str, Any] = yaml.safe_load(TEXT)
    return found


def lines(workflow: dict[str, Any]) -> list[str]:
    """Every line of shell."""
    joined = [
        step.get("run", "").replace("\\\n", " ") for job in workflow["jobs"].values() for step in job["steps"]
    ]
    return [line.strip() for text in joined for line in text.splitlines() if line.strip()]


def test_actions_are_pinned_to_a_commit_with_their_version() -> None:
    """A tag can be moved by whoever owns the action."""
    found = list(USES.finditer(TEXT))
    assert len(found) >= 4
    for one in found:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", one["action"]), one["action"]
        assert re.fullmatch(r"v\d+\.\d+\.\d+", one["version"] or ""), one[0]


def test_a_job_may_read_and_ends(workflow: dict[str, Any]) -> None:
    """No right to write, no secret, a time limit, and a runner with a version."""
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in TEXT
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 180
        assert re.fullmatch(r"ubuntu-\d\d\.\d\d", job["runs-on"])


def test_make_is_asked_for_what_it_has(workflow: dict[str, Any]) -> None:
    """Targets of the Makefile, with settings of .env.example or the variables that its recipes use."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    known = set(read_settings(ROOT, {}).values) | set(re.findall(r"\$\(([A-Z]+)\)", makefile))
    calls = [shlex.split(line)[1:] for line in lines(workflow) if line.startswith("make ")]
    assert ["test"] in calls
    for target, *variables in calls:
        assert target in targets, f"make {target}"
        for variable in variables:
            name, _, value = variable.partition("=")
            assert name in known, variable
            read_settings(ROOT, {name: value})


def test_drills_that_are_named_exist(workflow: dict[str, Any]) -> None:
    """By the drills' own files."""
    declared = "".join(path.read_text(encoding="utf-8") for path in ROOT.glob("*/*/drills.yml"))
    names = [name for line in lines(workflow) for name in re.findall(r"drill NAME=(\w+)", line)]
    assert names
    for name in names:
        assert f"alert: {name}\n" in declared


def test_commands_exist(workflow: dict[str, Any]) -> None:
    """Modules, tests and firedrill's own commands."""
    text = "\n".join(lines(workflow))
    for module in re.findall(r"python -m (\w[\w.]*)", text):
        assert importlib.util.find_spec(module) is not None, module
    for path in re.findall(r"\btests/\S+", text):
        assert (ROOT / path).exists(), path
    commands = getattr(get_command(cli), "commands", {})
    for command in re.findall(r"\.venv/bin/firedrill (\S+)", text):
        assert command in commands, command


def test_the_image_that_asks_the_registry_is_one_of_ours(
    workflow: dict[str, Any], compose: dict[str, Any]
) -> None:
    """It is pulled anyway."""
    (image,) = re.findall(r"docker pull --quiet (\S+?);", "\n".join(lines(workflow)))
    assert image in {block["image"] for block in compose["services"].values()}


def test_both_runtimes_are_compared(workflow: dict[str, Any]) -> None:
    """Each writes its document before they are compared."""
    words = [line.split()[3:] for line in lines(workflow) if "-m firedrill.parity" in line]
    written = [one[1] for one in words if one[0] == "write"]
    assert words[-1] == ["compare", *written]
