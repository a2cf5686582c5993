"""One measurement of a server: wrk where it is installed, or else a small client of ours."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loadtest.bench.processes import CLIENT_CORE, pinned

CONNECTIONS = 32
_RATE = re.compile(r"^Requests/sec:\s+([0-9.]+)", re.MULTILINE)
_TOTAL = re.compile(r"^\s*(\d+) requests in ", re.MULTILINE)
_BAD = re.compile(r"Non-2xx or 3xx responses: (\d+)")
_SOCKET = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")


@dataclass(frozen=True)
class Measured:
    """Requests a second, their number, and how many of them failed."""

    rate: float
    requests: int
    failures: int


def kind() -> str:
    """What will be the client."""
    return "wrk" if shutil.which("wrk") else "python"


def measure(url: str, seconds: float, root: Path) -> Measured:
    """Ask `url` as fast as it answers on CONNECTIONS connections; RuntimeError when that fails."""
    whole = max(1, round(seconds))
    if kind() == "wrk":
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{whole}s", url]
    else:
        command = [sys.executable, "-m", "loadtest.bench.slow_client", url, str(whole), str(CONNECTIONS)]
    done = subprocess.run(
        pinned(command, CLIENT_CORE),
        capture_output=True,
        text=True,
        check=False,
        timeout=whole + 30,
        cwd=root,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip() or done.stdout.strip()}")
    return parse(done.stdout)


def parse(text: str) -> Measured:
    """The output of wrk, or the JSON of our client; ValueError for anything else."""
    if text.startswith("{"):
        return Measured(**json.loads(text))
    rate, total = _RATE.search(text), _TOTAL.search(text)
    if not rate or not total:
        raise ValueError(f"this is not what wrk prints: {text[:200]!r}")
    bad, broken = _BAD.search(text), _SOCKET.search(text)
    failures = int(bad[1]) if bad else 0
    failures += sum(map(int, broken.groups())) if broken else 0
    return Measured(float(rate[1]), int(total[1]), failures)
