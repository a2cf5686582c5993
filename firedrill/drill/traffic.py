"""A drill's traffic: `python -m loadtest.drill` as a process of its own, always stopped.

It hangs on a pipe to the process that asked for it: when that is killed, the traffic ends as well.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from .ports import RunningTraffic

_STOP_SECONDS = 15.0


class LiveTraffic:
    """`python -m loadtest.drill` as a process of its own."""

    def __init__(self, url_of: Callable[[str], str]) -> None:
        self._url_of = url_of

    def start(self, target: str, *, rate: float, seconds: float) -> RunningTraffic:
        """`rate` requests a second for at most `seconds`."""
        command = [
            sys.executable,
            "-m",
            "loadtest.drill",
            "--target",
            target,
            "--url",
            self._url_of(target.partition("-")[0]),  # a stream is named after its service
        ]
        return TrafficProcess(
            [*command, "--rate", f"{rate:g}", "--seconds", f"{seconds:g}", "--while-stdin"],
            folder=Path(__file__).resolve().parents[2],
        )


class TrafficProcess:
    """A load generator that ends on SIGTERM and then prints a JSON summary."""

    def __init__(self, command: Sequence[str], *, folder: Path) -> None:
        self._errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115 - closed by stop()
        self._summary: Mapping[str, object] | None = None
        # A session of its own: Ctrl-C reaches the drill alone, which then heals first and stops this.
        self._process = subprocess.Popen(
            list(command), cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, start_new_session=True,
        )  # fmt: skip

    def ended(self) -> str | None:
        """Why it has ended by itself, None while it runs."""
        code = self._process.poll()
        return None if code is None else f"it ended with code {code}; {self.said()}"

    def stop(self) -> Mapping[str, object]:
        """End it and return its summary; a second call returns the same."""
        if self._summary is None:
            if self._process.poll() is None:
                self._process.send_signal(signal.SIGTERM)
            try:
                output, _ = self._process.communicate(timeout=_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                output, _ = self._process.communicate()
            self._summary = _summary(output)
            self._errors.close()
        return self._summary

    def said(self) -> str:
        """The end of what it wrote on standard error."""
        self._errors.seek(0)
        return " ".join(self._errors.read().split())[-300:] or "it said nothing"


def _summary(output: str) -> Mapping[str, object]:
    lines = [line for line in output.splitlines() if line.startswith("{")]
    try:
        found = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
