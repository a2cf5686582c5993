"""An engine of the test's own beside any other: own data, socket, bridge, addresses; no registry is asked."""

import ipaddress
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from firedrill.errors import FiredrillError
from firedrill.local import packages
from firedrill.local.system import Package
from firedrill.wait import poll_until

PROGRAMS = {
    "dockerd": Package("Docker", "docker.io", ""),
    "docker": Package("Docker", "docker.io", ""),
    "iptables-save": Package("iptables", "iptables", ""),
    "ip": Package("iproute2", "iproute2", ""),
    "debootstrap": Package("debootstrap", "debootstrap", ""),
    "/bin/busybox": Package("busybox", "busybox-static", ""),
}
BRIDGE = "fdtest0"
GATEWAY = ipaddress.ip_interface("10.213.255.1/24")
POOL = "base=10.213.0.0/17,size=24"
ENGINE_SECONDS = 60.0
_OF_DOCKER = ("DOCKER_", "COMPOSE_")
FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
# Whoever asks a registry all the same is told so at once, and not after a minute.
NO_REGISTRY = {"HTTP_PROXY": "http://127.0.0.1:9", "HTTPS_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}


class NoEngineError(Exception):
    """This machine starts no engine, with the reason."""


def install_programs() -> None:
    """Debian's packages for what is missing, without starting the engine that they bring."""
    missing = {package.debian: package for name, package in PROGRAMS.items() if shutil.which(name) is None}
    if missing:
        try:
            packages.install(list(missing.values()), print)
        except FiredrillError as error:
            raise NoEngineError(f"{', '.join(missing)} cannot be installed: {error}") from error


@dataclass(frozen=True)
class Engine:
    """A running engine; `environ` leads the docker command to it, `plugins` holds Docker Compose."""

    environ: Mapping[str, str]
    data: Path

    def docker(self, *words: str, seconds: float = 300) -> str:
        """The output of `docker` with `words`, which has to succeed."""
        done = self.call(*words, seconds=seconds)
        assert done.returncode == 0, (
            f"docker {' '.join(words)}: exit {done.returncode}\n{done.stderr[-3000:]}"
        )
        return done.stdout

    def call(self, *words: str, seconds: float = 300) -> "subprocess.CompletedProcess[str]":
        """`docker` with `words`; the caller looks at the exit code."""
        return subprocess.run(
            ["docker", *words], env=dict(self.environ), capture_output=True, text=True, check=False,
            timeout=seconds,
        )  # fmt: skip

    def inspect(self, *names: str) -> list[dict[str, object]]:
        """What `docker inspect` says of containers, images or volumes."""
        found: list[dict[str, object]] = json.loads(self.docker("inspect", *names))
        return found

    def clear(self) -> None:
        """Remove all containers, volumes and networks; images stay for the next run."""
        if containers := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *containers)
        self.docker("network", "prune", "--force")
        if volumes := self.docker("volume", "ls", "--quiet").split():
            self.docker("volume", "rm", *volumes)


@contextmanager
def running(folder: Path, compose: Path) -> Iterator[Engine]:
    """Start an engine with its data in `folder`; at the end nothing of it runs, the firewall is as before."""
    folder.mkdir(parents=True, exist_ok=True)
    # A daemon that was killed leaves mounts, which must not hide the error that led there.
    with tempfile.TemporaryDirectory(prefix="firedrill-engine-", ignore_cleanup_errors=True) as name:
        run = Path(name)
        plugins = run / "config" / "cli-plugins"
        plugins.mkdir(parents=True)
        (plugins / "docker-compose").symlink_to(compose)
        environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_OF_DOCKER)},
            "DOCKER_HOST": f"unix://{run}/docker.sock",
            "DOCKER_CONFIG": str(run / "config"),
        }
        engine = Engine(environ, folder)
        with _firewall(), _bridge(), _daemon(_command(folder, run), engine, run / "dockerd.log"):
            engine.clear()
            try:
                yield engine
            finally:
                engine.clear()


@contextmanager
def _daemon(command: Sequence[str], engine: Engine, log: Path) -> Iterator[None]:
    """The engine's process, ready; ended at the end."""
    with log.open("w") as written:
        daemon = subprocess.Popen(
            command, env={**os.environ, **NO_REGISTRY}, stdout=written, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            _await(engine, daemon, log)
            yield
        finally:
            daemon.terminate()
            try:
                daemon.wait(timeout=60)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()


def _command(folder: Path, run: Path) -> Sequence[str]:
    return [
        "dockerd", f"--host=unix://{run}/docker.sock", f"--data-root={folder}", f"--exec-root={run}/exec",
        f"--pidfile={run}/dockerd.pid", f"--bridge={BRIDGE}", f"--default-address-pool={POOL}",
        f"--containerd-namespace={BRIDGE}", f"--containerd-plugins-namespace={BRIDGE}-plugins",
        "--group=root", "--log-level=warn",
    ]  # fmt: skip


def _await(engine: Engine, daemon: "subprocess.Popen[bytes]", log: Path) -> None:
    def answers() -> bool:
        if daemon.poll() is not None:
            return True
        asked = subprocess.run(
            ["docker", "info"], env=dict(engine.environ), capture_output=True, check=False, timeout=30
        )
        return asked.returncode == 0

    poll_until(answers, "dockerd answers", ENGINE_SECONDS)
    if daemon.poll() is not None:
        raise NoEngineError(f"dockerd ended: {log.read_text().strip()[-1000:]}")


@contextmanager
def _firewall() -> Iterator[None]:
    """Rules and forwarding afterwards as they were before."""
    rules, forwarding = _run("iptables-save"), FORWARD.read_text()
    try:
        yield
    finally:
        # Tables that were empty are not in the dump, so they are emptied first.
        _run("iptables-restore", text="*nat\nCOMMIT\n*filter\n:FORWARD ACCEPT\nCOMMIT\n")
        _run("iptables-restore", text=rules)
        FORWARD.write_text(forwarding)


@contextmanager
def _bridge() -> Iterator[None]:
    subprocess.run(["ip", "link", "delete", BRIDGE], capture_output=True, check=False)
    _run("ip", "link", "add", BRIDGE, "type", "bridge")
    try:
        _run("ip", "address", "add", str(GATEWAY), "dev", BRIDGE)
        _run("ip", "link", "set", BRIDGE, "up")
        yield
    finally:
        _run("ip", "link", "delete", BRIDGE)


def _run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-1000:]}"
    return done.stdout
