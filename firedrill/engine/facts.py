"""Which engine and which compose there are, and whether this stack runs on them."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from firedrill.engine.messages import LOCAL
from firedrill.errors import EnvironmentProblem

# Debian 12's engine, on which tests/compose runs.
OLDEST_ENGINE = (20, 10)
# `up --wait` that ends with what failed, and --profile=*.
OLDEST_COMPOSE = (2, 20)
_VERSION = re.compile(r"v?(\d+)\.(\d+)")
# What measures the machine would measure the engine's own virtual machine.
_ON_DESKTOP = {"node-exporter": "Docker Desktop: it would measure the engine's virtual machine"}


@dataclass(frozen=True)
class Engine:
    """What `docker info` and `docker compose version` say; `version` is empty when it is not told."""

    version: str
    compose: str
    desktop: bool = False
    rootless: bool = False
    memory_limits: bool = True


@dataclass(frozen=True)
class Verdict:
    """Whether the stack can run: `problem` says why not, `without` names services that must not, each why."""

    problem: EnvironmentProblem | None = None
    without: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_engine(info: str, compose: str) -> Engine:
    """From `docker info --format '{{json .}}'` and `docker compose version --short`. Raises ValueError."""
    facts = json.loads(info)
    if not isinstance(facts, dict):
        raise ValueError("docker info gave no mapping")
    security = " ".join(map(str, facts.get("SecurityOptions") or ()))
    driver = str(facts.get("CgroupDriver", ""))
    return Engine(
        version=str(facts.get("ServerVersion") or ""),
        compose=compose.strip(),
        desktop="docker desktop" in str(facts.get("OperatingSystem", "")).lower(),
        rootless="name=rootless" in security,
        # Older engines say true where nothing is enforced, namely with the driver none.
        memory_limits=bool(facts.get("MemoryLimit", True)) and driver != "none",
    )


def judge(engine: Engine) -> Verdict:
    """Whether this stack runs on `engine`."""
    for what, found, oldest, how in (
        ("the docker engine", engine.version, OLDEST_ENGINE, "docker version"),
        ("docker compose", engine.compose, OLDEST_COMPOSE, "docker compose version"),
    ):
        version = _VERSION.match(found)
        if version and (int(version[1]), int(version[2])) < oldest:
            return Verdict(_old(what, found, oldest, how))
    if engine.rootless and not engine.memory_limits:
        return Verdict(
            EnvironmentProblem(
                "this rootless docker engine cannot limit memory",
                "its user has no cgroup v2 with the memory controller, so every mem_limit would be ignored",
                f"delegate the controllers to the user (cgroup v2, systemd), use the engine of root, {LOCAL}",
            )
        )
    notes = []
    if engine.rootless:
        notes.append("a rootless engine: node-exporter sees the machine as its user does")
    elif not engine.memory_limits:
        notes.append("this engine limits no memory: mem_limit has no effect")
    return Verdict(without=_ON_DESKTOP if engine.desktop else {}, notes=tuple(notes))


def _old(what: str, found: str, oldest: tuple[int, int], how: str) -> EnvironmentProblem:
    return EnvironmentProblem(
        f"{what} is too old",
        f"it is {found}, and docker-compose.yml needs {oldest[0]}.{oldest[1]} or newer",
        f"bring it up to date ({how} shows it), {LOCAL}",
    )
