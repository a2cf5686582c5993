"""One service as real processes: two workers behind one port, and a replica behind another."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from firedrill.wait import poll_until
from tests.unit.workflow.processes import free_port

ROOT = Path(__file__).parents[3]
AUTHORISED = {"Authorization": "Bearer open"}


class Served:
    """One `uvicorn` with so many workers; every request on a connection of its own."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.workers, self.port = workers, free_port()
        shared = folder / f"metrics-{self.port}"
        shared.mkdir()
        environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "FAULTS_ENABLED": "1",
            "FAULTS_TOKEN": "open",
            "FAULTS_DIR": str(folder / "faults"),
            **({"PROMETHEUS_MULTIPROC_DIR": str(shared)} if workers > 1 else {}),
        }
        command = [sys.executable, "-m", "uvicorn", "tests.unit.faults.worker_app:make", "--factory"]
        command += ["--port", str(self.port), "--workers", str(workers), "--log-level", "critical"]
        with (folder / f"{self.port}.log").open("wb") as log:
            self.process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=log, stderr=log)

    def ask(self, method: str, path: str, **rest: object) -> httpx.Response:
        """One request on a new connection: the kernel gives it to either worker."""
        url = f"http://127.0.0.1:{self.port}{path}"
        with httpx.Client(trust_env=False, timeout=5.0) as client:
            return client.request(method, url, headers=AUTHORISED, **rest)  # type: ignore[arg-type]  # json only

    def all_say(self, slow: object, deadline: float = 5) -> None:
        """Wait until every worker was heard, all saying the same."""
        poll_until(lambda: self._heard(slow), f"workers on {self.port} say {slow}", deadline, interval=0.05)

    def _heard(self, slow: object) -> bool:
        try:
            answers = [self.ask("GET", "/work").json() for _ in range(6 * self.workers)]
        except httpx.TransportError:
            return False
        return len({one["pid"] for one in answers}) == self.workers and all(
            one["slow"] == slow for one in answers
        )

    def shows(self, value: str, deadline: float = 5) -> None:
        """Wait until fault_active has this value in every exposition of a round."""
        line = f'fault_active{{fault="slow"}} {value}'
        poll_until(lambda: {self.gauge() for _ in range(4)} == {line}, line, deadline, interval=0.05)

    def gauge(self) -> str:
        """The line of fault_active as any of the workers exposes it."""
        lines = self.ask("GET", "/metrics").text.splitlines()
        return next(line for line in lines if line.startswith("fault_active{"))


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """Two workers on one port, one on another, all with the same folder for faults."""
    served: list[Served] = []
    try:
        served += [Served(tmp_path, 2), Served(tmp_path, 1)]
        for each in served:
            each.all_say(None, 30)
        yield served[0], served[1]
    finally:
        for each in served:
            each.process.terminate()
        for each in served:
            each.process.wait(15)


def test_workers_and_replicas_obey_one_switch_until_it_expires(replicas: tuple[Served, Served]) -> None:
    """Set at one worker of one replica: obeyed by all three, shown by all, and over for all by itself."""
    pair, single = replicas
    pair.shows("0.0")
    assert single.ask("PUT", "/faults/slow", json={"parameters": {"milliseconds": 7}}).status_code == 200
    for each in replicas:
        each.all_say({"milliseconds": 7})
        each.shows("1.0")

    assert pair.ask("DELETE", "/faults/slow").status_code == 204
    for each in replicas:
        each.all_say(None)

    began = time.monotonic()
    assert pair.ask("PUT", "/faults/slow", json={"ttl_seconds": 2}).status_code == 200
    for each in replicas:
        each.shows("1.0", 1.5)
    for each in replicas:  # no traffic but scrapes
        each.shows("0.0", 10)
    assert 1.8 < time.monotonic() - began < 6
    for each in replicas:
        each.all_say(None)
