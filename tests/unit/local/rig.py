"""A small project whose services are tiny Python scripts, run by the real supervisor on private ports."""

import os
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from firedrill.local import control
from firedrill.local.launch import Launch
from firedrill.local.layout import Layout
from firedrill.local.processes import MARK, marked
from firedrill.local.records import ServiceState, StackState, read_state
from firedrill.wait import poll_until

ROOT = Path(__file__).resolve().parents[3]
# Answers 200 on its port once DELAY seconds have passed; notes when it starts and ends in the file ORDER.
SERVER = """
import os, signal, subprocess, sys, time
from http.server import BaseHTTPRequestHandler, HTTPServer

name, port = sys.argv[1], int(sys.argv[3])
begin = time.monotonic()

def note(what):
    with open(os.environ["ORDER"], "a") as order:
        order.write(f"{name} {what}\\n")

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        up = time.monotonic() - begin >= float(os.environ.get("DELAY", "0"))
        self.send_response(200 if up else 503)
        self.end_headers()

    def log_message(self, *_):
        pass

def leave(*_):
    note("ends")
    os._exit(0)

note("starts")
print("hello from", name, flush=True)
signal.signal(signal.SIGTERM, signal.SIG_IGN if os.environ.get("STUBBORN") else leave)
if os.environ.get("CHILD"):
    subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


@dataclass
class Rig:
    """One project and its supervisor."""

    project: Path
    layout: Layout
    supervisors: list["subprocess.Popen[bytes]"] = field(default_factory=list)
    instance: str = ""

    def compose(self, text: str) -> None:
        """Write docker-compose.yml; `text` is indented as the test is."""
        (self.project / "docker-compose.yml").write_text(textwrap.dedent(text))

    def launch(self, **settings: str) -> None:
        """Start the supervisor and wait for its first word."""
        self.layout.make_folders()
        self.instance = uuid.uuid4().hex
        Launch(
            instance=self.instance, began=time.time(), project=str(self.project), code=str(self.project),
            cache=str(self.project / "cache"), settings={"PACE": "production", **settings},
            environ={"PATH": os.environ["PATH"]},
        ).write(self.layout)  # fmt: skip
        environ = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1", MARK: self.instance}
        with self.layout.supervisor_log.open("ab") as log:
            supervisor = subprocess.Popen(
                [sys.executable, "-m", "firedrill.local.supervisor", str(self.layout.root)],
                env=environ, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.supervisors.append(supervisor)
        poll_until(
            lambda: self.state() is not None or supervisor.poll() is not None,
            "a first state",
            20,
            interval=0.05,
        )

    @property
    def supervisor(self) -> "subprocess.Popen[bytes]":
        return self.supervisors[-1]

    def state(self) -> StackState | None:
        found = read_state(self.layout.state_file)
        return found if found is not None and found.instance == self.instance else None

    def service(self, name: str) -> ServiceState:
        state = self.state()
        assert state is not None
        return state.services.get(name, ServiceState(name))

    def wait(self, name: str, phase: str) -> ServiceState:
        """Wait until a service has the phase."""
        return self.wait_until(name, lambda now: now.phase == phase)

    def wait_until(self, name: str, condition: Callable[[ServiceState], bool]) -> ServiceState:
        """Wait until a service's state is as it should be."""

        def reached() -> ServiceState:
            found = self.service(name)
            assert condition(found), found
            return found

        return poll_until(reached, f"{name} as expected", 20, interval=0.05)

    def order(self) -> list[str]:
        path = self.project / "order"
        return path.read_text().splitlines() if path.exists() else []

    def log(self, name: str) -> str:
        return self.layout.log_of(name, shared=False).read_text()

    def processes(self) -> list[psutil.Process]:
        """Everything that carries this launch's mark, the supervisor included."""
        return [one for one in marked(self.instance) if one.status() != psutil.STATUS_ZOMBIE]

    def wardens(self) -> list[psutil.Process]:
        return [one for one in self.processes() if "firedrill.local.warden" in one.cmdline()]

    def down(self) -> int:
        control.send(self.layout.socket, "down")
        return self.supervisor.wait(30)


def server(
    name: str, port: int, *, depends_on: str = "", restart: str = "unless-stopped", **environment: str
) -> str:
    """A service of the rig, as one line for docker-compose.yml."""
    needs = f"depends_on: {{{depends_on}: {{condition: service_healthy}}}}, " if depends_on else ""
    variables = "".join(f', {key}: "{value}"' for key, value in environment.items())
    return (
        f"{name}: {{command: [python, server.py, {name}, --port, '{port}'], ports: ['{port}:{port}'], {needs}"
        f"restart: '{restart}', stop_grace_period: 2s, environment: {{ORDER: order{variables}}}, "
        f"x-firedrill: {{python: true, ready: 'http://self:{port}/'}}}}"
    )
