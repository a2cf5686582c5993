"""A real Grafana on the project's own provisioning, resolved to the addresses of a running stack."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx
import yaml

from firedrill.grafana.client import Grafana
from firedrill.local.addresses import Addresses
from firedrill.local.configs import render
from firedrill.pace import pace_file
from firedrill.stack import Stack
from firedrill.wait import poll_until

READY_SECONDS = 120.0
PROVISIONING, DASHBOARDS = "/etc/grafana/provisioning", "/etc/grafana/dashboards"


def provision(stack: Stack, folder: Path, *, dashboards: Path) -> Path:
    """A copy of config/grafana/provisioning at the stack's pace, with its addresses; its folder."""
    peers = {(name, port): host for name, own in stack.ports.items() for port, host in own.items()}
    target = folder / "provisioning"
    addresses = Addresses({}, peers, {PROVISIONING: str(target), DASHBOARDS: str(dashboards)})

    def pace(path: Path, text: str) -> str:
        return pace_file(path, text, stack.pace)

    source = stack.root / "config" / "grafana" / "provisioning"
    for file in render(source, target, addresses, pace=pace, started=stack.started):
        file.write()
    for name in ("plugins", "notifiers", "access-control"):  # or the server complains of each
        (target / name).mkdir(exist_ok=True)
    return target


@contextmanager
def serving(binary: Path, stack: Stack, http: httpx.Client, *, dashboards: Path) -> Iterator[Grafana]:
    """Start the server and wait until it answers; the error holds its log when it ends before that."""
    with tempfile.TemporaryDirectory(prefix="firedrill-grafana-") as name:
        folder, port = Path(name), _free_port()
        given = provision(stack, folder, dashboards=dashboards)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [str(binary), "server", "--homepath", str(binary.parent)],
                env=_environment(stack, folder, given, port),
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        grafana = Grafana(f"http://127.0.0.1:{port}", http=http, user="admin", password="firedrill-tests")

        def ready() -> bool:
            assert process.poll() is None, f"it ended:\n{(folder / 'log').read_text()[-4000:]}"
            return bool(grafana.version())

        try:
            poll_until(ready, "Grafana answers", READY_SECONDS)
            yield grafana
        finally:
            if keep := os.environ.get("GRAFANA_LOG"):
                shutil.copyfile(folder / "log", keep)
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _environment(stack: Stack, folder: Path, provisioning: Path, port: int) -> Mapping[str, str]:
    """What docker-compose.yml sets, then what differs here: paths, address, password."""
    compose = yaml.safe_load((stack.root / "docker-compose.yml").read_text(encoding="utf-8"))
    environ = {
        name: value
        for name, value in compose["services"]["grafana"]["environment"].items()
        if not value.startswith("$")
    }
    return {
        "PATH": os.environ["PATH"],
        **environ,
        "GF_SECURITY_ADMIN_USER": "admin",
        "GF_SECURITY_ADMIN_PASSWORD": "firedrill-tests",
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_SERVER_HTTP_PORT": str(port),
        "GF_PATHS_PROVISIONING": str(provisioning),
        "GF_PATHS_DATA": str(folder / "data"),
        "GF_PATHS_LOGS": str(folder / "logs"),
        "GF_PATHS_PLUGINS": str(folder / "plugins"),
        "GF_LOG_MODE": "console",
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
