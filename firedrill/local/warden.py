"""Outlives the supervisor by seconds: when that dies without a word, it ends what the supervisor had started.

Standard input is a pipe from the supervisor with lines `+pid born`, `-pid` and, at an orderly end, `clean`.
"""

import signal
import subprocess
import sys
from collections.abc import Iterable
from typing import IO

from firedrill.local.processes import Identity, end_all

GRACE_SECONDS = 5.0


def watch(lines: Iterable[str], instance: str) -> list[int]:
    """Read until the supervisor is gone; without `clean`, end its processes and give their ids."""
    alive: dict[int, Identity] = {}
    for line in lines:
        words = line.split()
        if words == ["clean"]:
            return []
        if len(words) == 2 and words[0] == "+":
            pid, _, born = words[1].partition("@")
            alive[int(pid)] = Identity(int(pid), float(born))
        elif len(words) == 2 and words[0] == "-":
            alive.pop(int(words[1]), None)
    return end_all(alive.values(), mark=instance, grace_seconds=GRACE_SECONDS)


class Warden:
    """The supervisor's side: starts the warden and tells it who lives."""

    def __init__(self, instance: str, environ: dict[str, str]) -> None:
        self._instance, self._environ = instance, environ
        self._alive: dict[int, Identity] = {}
        self._process = self._start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def started(self, who: Identity) -> None:
        self._alive[who.pid] = who
        self._say(f"+ {who.pid}@{who.born}")

    def ended(self, pid: int) -> None:
        self._alive.pop(pid, None)
        self._say(f"- {pid}")

    def ensure(self) -> bool:
        """Start the warden again if it died; True when that was so."""
        if self._process.poll() is None:
            return False
        self._process = self._start()
        for who in self._alive.values():
            self._say(f"+ {who.pid}@{who.born}")
        return True

    def dismiss(self) -> None:
        """Say that everything ended well and wait for the warden's end."""
        self._say("clean")
        if self._process.stdin is not None:
            self._process.stdin.close()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "firedrill.local.warden", self._instance],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            bufsize=1,
            env=self._environ,
            start_new_session=True,
        )

    def _say(self, line: str) -> None:
        stream: IO[str] | None = self._process.stdin
        try:
            if stream is not None:
                stream.write(line + "\n")
                stream.flush()
        except (OSError, ValueError):
            return  # it died; `ensure` starts another and tells it everything


def main() -> None:
    """Run as a process: `python -m firedrill.local.warden INSTANCE`."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    ended = watch(sys.stdin, sys.argv[1])
    if ended:
        sys.stderr.write(f"the supervisor died; the warden ended {len(ended)} processes\n")


if __name__ == "__main__":
    main()
