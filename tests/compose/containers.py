"""What the engine says of the running containers, and what each must be."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.compose.engine import Engine

SERVICE = "com.docker.compose.service"
MEMORY = Path("/sys/fs/cgroup/memory/docker")
_MEBIBYTE = 1 << 20


TOLD = "4m"  # so far back a failed test shows what the containers said


@dataclass(frozen=True)
class Container:
    """One container; memory in MiB, `pid` that of its first process on this machine."""

    service: str
    id: str
    pid: int
    state: str
    health: str
    restarts: int
    killed_for_memory: bool
    about: Mapping[str, Any]

    @property
    def ready(self) -> bool:
        """Runs, and is healthy where its health is checked."""
        return self.state == "running" and self.health in {"", "healthy"}

    @property
    def limit(self) -> int:
        """Its memory limit."""
        return int(self.about["HostConfig"]["Memory"]) // _MEBIBYTE


def containers(engine: Engine) -> dict[str, Container]:
    """All containers of the stack by service."""
    ids = engine.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", f"label={SERVICE}").split()
    return {one.service: one for one in (_container(about) for about in engine.inspect(*ids))} if ids else {}


def _container(about: Mapping[str, Any]) -> Container:
    state = about["State"]
    return Container(
        about["Config"]["Labels"][SERVICE], about["Id"], state["Pid"], state["Status"],
        state.get("Health", {}).get("Status", ""), about["RestartCount"], state["OOMKilled"], about,
    )  # fmt: skip


def used(engine: Engine) -> dict[str, float]:
    """Memory in use by container id, in MiB, as `docker stats` counts it: without the page cache."""
    lines = engine.docker(
        "stats", "--no-stream", "--no-trunc", "--format", "{{.ID}} {{.MemUsage}}"
    ).splitlines()
    return {line.split()[0]: _mebibytes(line.split()[1]) for line in lines}


def _mebibytes(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([KMG]?i?B)", text).groups()  # type: ignore[union-attr]
    return float(number) * {"B": 1 / _MEBIBYTE, "KiB": 1 / 1024, "MiB": 1, "GiB": 1024}[unit]


def faults_of(found: Container, wanted: Mapping[str, Any]) -> Iterator[str]:
    """What must not be, in words; `wanted` is the service's block in docker-compose.yml."""
    yield from _privileges(found)
    yield from _reach(found)
    if not found.about["HostConfig"]["Memory"]:
        yield f"{found.service}: no memory limit"
    if ("healthcheck" in wanted) != bool(found.health):
        yield f"{found.service}: health is {found.health or 'not checked'}"


def _privileges(found: Container) -> Iterator[str]:
    host, config, name = found.about["HostConfig"], found.about["Config"], found.service
    if not re.fullmatch(r"[1-9]\d*:\d+", config["User"]):
        yield f"{name}: runs as {config['User'] or 'root'}"
    uids = _uids(found.pid)
    if uids != {config["User"].partition(":")[0]}:
        yield f"{name}: its process has the uids {sorted(uids)}, not {config['User']}"
    if not host["ReadonlyRootfs"]:
        yield f"{name}: its root can be written"
    if host["Privileged"] or host["CapAdd"] or host["CapDrop"] != ["ALL"] or _capabilities(found.pid):
        yield f"{name}: it has capabilities"
    if "no-new-privileges:true" not in host["SecurityOpt"]:
        yield f"{name}: it may gain privileges"


def _reach(found: Container) -> Iterator[str]:
    """Ports, mounts and networks."""
    host, name = found.about["HostConfig"], found.service
    for inside, bindings in (host["PortBindings"] or {}).items():
        for one in bindings:
            if one["HostIp"] != "127.0.0.1":
                yield f"{name}: port {inside} is published on {one['HostIp'] or 'every address'}"
    for mount in found.about["Mounts"]:
        if mount["Source"].endswith((".sock", "/run", "/var/run")):
            yield f"{name}: mounts {mount['Source']}"
        if mount["Type"] == "bind" and mount["RW"]:
            yield f"{name}: may write to {mount['Source']}"
    if host["NetworkMode"] == "host":
        yield f"{name}: has the machine's network"


def _uids(pid: int) -> set[str]:
    """All four of a process."""
    return set(_status(pid, "Uid").split())


def _capabilities(pid: int) -> int:
    """Those that a process has or could get."""
    return int(_status(pid, "CapPrm"), 16) | int(_status(pid, "CapBnd"), 16)


def _status(pid: int, name: str) -> str:
    text = Path(f"/proc/{pid}/status").read_text()
    return re.search(rf"^{name}:\s*(.*)$", text, re.M)[1]  # type: ignore[index]


def moment(text: str) -> float:
    """Unix seconds of a time as the engine writes it."""
    return datetime.fromisoformat(
        re.sub(r"\.\d+", lambda found: found[0][:7].ljust(7, "0"), text)
    ).timestamp()


def last_words(engine: Engine) -> str:
    """The last lines of every container, under its name."""
    told = []
    for name, one in sorted(containers(engine).items()):
        done = engine.call("logs", f"--since={TOLD}", "--tail=25", one.id)
        told.append(f"{name}: {one.state} {one.health}\n{done.stdout}{done.stderr}")
    return "\n".join(told)
