"""Where log lines end: standard output and a file that rotates."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TextIO

_ATOMIC = 4096
"""Bytes that a pipe takes in one piece, so that the lines of several workers do not mix."""
_STUCK_SECONDS = 5.0


class Sink(Protocol):
    """Takes whole lines; raises OSError or ValueError when it cannot."""

    def write(self, lines: Sequence[bytes]) -> None:
        """Write lines, each ending in a newline."""

    def close(self) -> None:
        """Let go of what is held."""


class _Writer:
    """Writes to a descriptor; a line that was cut off does not spoil the next one."""

    def __init__(self) -> None:
        self._torn = False

    def write(self, number: int, data: bytes) -> None:
        """Write everything, or raise OSError."""
        view = memoryview(b"\n" + data if self._torn else data)
        self._torn = True
        while view:
            try:
                view = view[os.write(number, view) :]
            except BlockingIOError:  # made non-blocking by someone: wait for room, but not for ever
                if not select.select([], [number], [], _STUCK_SECONDS)[1]:
                    raise
        self._torn = False


class StdoutSink:
    """Standard output, written past Python's buffers."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream
        self._writer = _Writer()

    def write(self, lines: Sequence[bytes]) -> None:
        """See Sink."""
        stream = self._stream or sys.stdout
        try:
            number = stream.fileno()
        except (OSError, AttributeError):  # a replaced stream without a descriptor, as in tests
            stream.write(b"".join(lines).decode("utf-8", "replace"))
            stream.flush()
            return
        for piece in _pieces(lines) if stat.S_ISFIFO(os.fstat(number).st_mode) else [b"".join(lines)]:
            self._writer.write(number, piece)

    def close(self) -> None:
        """Standard output stays open."""


def _pieces(lines: Sequence[bytes]) -> list[bytes]:
    """Whole lines together, as many as a pipe takes in one piece."""
    pieces: list[bytes] = []
    held: list[bytes] = []
    size = 0
    for line in lines:
        if held and size + len(line) > _ATOMIC:
            pieces.append(b"".join(held))
            held, size = [], 0
        held.append(line)
        size += len(line)
    pieces.append(b"".join(held))
    return pieces


class FileSink:
    """A file that is appended to, opened again when moved away, and rotated by size (one backup)."""

    def __init__(self, path: Path, *, max_bytes: int) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._number: int | None = None
        self._writer = _Writer()

    def write(self, lines: Sequence[bytes]) -> None:
        """See Sink."""
        number = self._open()
        if os.fstat(number).st_size >= self._max_bytes:
            self._rotate(number)
            number = self._open()
        self._writer.write(number, b"".join(lines))

    def close(self) -> None:
        """Close the file."""
        if self._number is not None:
            os.close(self._number)
            self._number = None

    def _open(self) -> int:
        if self._number is not None and not self._is_current(self._number):
            self.close()
        if self._number is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._number = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        return self._number

    def _is_current(self, number: int) -> bool:
        """Whether the path still leads to the open file."""
        try:
            there = self._path.stat()
        except OSError:
            return False
        return os.path.samestat(there, os.fstat(number))

    def _rotate(self, number: int) -> None:
        """Move the file aside, unless another worker does so at this moment."""
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if self._is_current(number):
                self._path.replace(self._path.with_name(self._path.name + ".1"))
