"""What the log files of a stack have gained since a moment, in either runtime."""

import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from firedrill.clients import BackendError

LARGEST_READ_BYTES = 64 * 1024 * 1024


class LogFiles(Protocol):
    """A stack's log files."""

    def gained(self) -> Iterator[tuple[str, str]]:
        """Name and text of each file that was written to since this object was made."""


class LocalLogFiles:
    """Every *.log and *.log.1 below the folders, from where each ended at the start; rotated ones whole.

    Of a file that has gained more than LARGEST_READ_BYTES the newest part is read.
    """

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folders)
        self._ends: Mapping[tuple[int, int], int] = dict(self._files_now())

    def gained(self) -> Iterator[tuple[str, str]]:
        """See LogFiles."""
        for path in self._paths():
            try:
                with path.open("rb") as stream:
                    about = path.stat()
                    begin = self._ends.get((about.st_dev, about.st_ino), 0)
                    stream.seek(max(0, min(begin, about.st_size), about.st_size - LARGEST_READ_BYTES))
                    text = stream.read(LARGEST_READ_BYTES).decode("utf-8", "replace")
            except FileNotFoundError:  # rotated away meanwhile: its follower is read
                continue
            if text:
                yield str(path), text

    def _files_now(self) -> Iterator[tuple[tuple[int, int], int]]:
        for path in self._paths():
            about = path.stat()
            yield (about.st_dev, about.st_ino), about.st_size

    def _paths(self) -> list[Path]:
        return [
            path for folder in self._folders for name in ("*.log", "*.log.1") for path in folder.glob(name)
        ]


Run = Callable[[Sequence[str]], "subprocess.CompletedProcess[str]"]


class DockerLogs:
    """What `docker compose logs` says of all containers since this object was made."""

    def __init__(self, compose_file: Path, *, run: Run | None = None) -> None:
        self._compose_file, self._run, self._begin = compose_file, run or _run, time.time()

    def gained(self) -> Iterator[tuple[str, str]]:
        """See LogFiles; raises BackendError when docker cannot be asked."""
        since = f"{int(self._begin) - 1}"
        words = ["docker", "compose", "-f", str(self._compose_file), "--profile=*"]
        words += ["logs", "--no-color", "--since", since]
        done = self._run(words)
        if done.returncode:
            raise BackendError("docker compose logs failed", done.stderr.strip()[-300:], "docker compose ps")
        yield "docker compose logs", done.stdout


def _run(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=30)
