"""The load generator as a process of its own: started, listened to, always ended."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from firedrill.errors import FiredrillError, UsageError

ENDS_WITHIN_SECONDS = 30.0  # after SIGTERM: requests under way are waited for


class Generator:
    """`python -m loadtest.run`; a context manager that leaves no process behind."""

    def __init__(self, arguments: Sequence[str], *, project: Path, urls: Mapping[str, str]) -> None:
        self._errors = tempfile.TemporaryFile(mode="w+", encoding="utf-8")  # noqa: SIM115 - closed on exit
        # A user's own <SERVICE>_URL must not lead the load elsewhere than to the running stack.
        kept = {name: value for name, value in os.environ.items() if not name.endswith("_URL")}
        named = {f"{name.upper()}_URL": url for name, url in urls.items()}
        # A session of its own: Ctrl-C reaches the command alone, which then ends this in order.
        self._process = subprocess.Popen(
            [sys.executable, "-m", "loadtest.run", *arguments],
            cwd=project,
            env={**kept, **named, "PYTHONPATH": str(project)},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            start_new_session=True,
        )

    def __enter__(self) -> "Generator":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        try:
            self._process.wait(ENDS_WITHIN_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout:
            self._process.stdout.close()
        self._errors.close()

    def lines(self) -> Iterator[Mapping[str, Any]]:
        """What it tells, until it ends. Raises UsageError when it refuses, FiredrillError if it breaks."""
        stdout = self._process.stdout
        if stdout is None:  # never: it is a pipe
            return
        last = ""
        for text in stdout:
            try:
                line = json.loads(text)
            except ValueError:  # not ours: some library prints
                continue
            if line.get("kind") == "refused":
                raise refusal(line["text"])
            last = str(line.get("kind"))
            yield line
        if last != "result":
            raise FiredrillError(
                "the load generator ended before its time",
                f"exit code {self._process.wait()}; {self._said()}",
                "run it again; if it repeats, report what it said",
            )

    def stop(self) -> None:
        """Ask it to end; what is under way is still answered and the result still told."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once."""
        self._process.kill()

    def _said(self) -> str:
        self._errors.seek(0)
        return " ".join(self._errors.read().split())[-300:] or "it said nothing"


def refusal(text: str) -> UsageError:
    """The generator's three lines as an error."""
    what, *rest = text.splitlines()
    named = dict(line.strip().partition(":")[::2] for line in rest)
    return UsageError(what, named.get("why", "").strip(), named.get("do", "").strip())
