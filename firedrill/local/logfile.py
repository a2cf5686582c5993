"""A log file that starts anew when it is full, cut only between lines, keeping one older file."""

import threading
from pathlib import Path
from typing import BinaryIO

MOST_BYTES = 20 * 1024 * 1024
# A line longer than this is cut, or a process without line ends would fill the disk.
LONGEST_LINE = 1024 * 1024


class LogFile:
    """Appends to `path`; when `most_bytes` are reached it becomes `path`.1 and a new file begins."""

    def __init__(self, path: Path, *, most_bytes: int = MOST_BYTES) -> None:
        self._path, self._most = path, most_bytes
        self._stream: BinaryIO | None = None
        self._size = 0
        self._since_line_end = 0
        self._lock = threading.Lock()

    def write(self, chunk: bytes) -> None:
        """Append `chunk`. A full disk or a missing folder loses the chunk and nothing else."""
        with self._lock:
            try:
                self._write(chunk)
            except OSError:
                self._close()

    def close(self) -> None:
        """Close the file; a later write opens it again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _write(self, chunk: bytes) -> None:
        while chunk:
            if self._size >= self._most:
                end = chunk.find(b"\n") + 1
                if self._since_line_end == 0 or self._since_line_end > LONGEST_LINE:
                    self._turn_over()
                elif end:
                    self._append(chunk[:end])
                    chunk = chunk[end:]
                    continue
            room = max(1, self._most - self._size)
            self._append(chunk[:room])
            chunk = chunk[room:]

    def _append(self, part: bytes) -> None:
        if self._stream is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._stream = self._path.open("ab", buffering=0)
            self._size = self._path.stat().st_size
        self._stream.write(part)
        self._size += len(part)
        last = part.rfind(b"\n")
        self._since_line_end = len(part) - last - 1 if last >= 0 else self._since_line_end + len(part)

    def _turn_over(self) -> None:
        self._close()
        self._path.replace(self._path.with_name(self._path.name + ".1"))
        self._size = self._since_line_end = 0


def last_lines(path: Path, count: int, *, most_bytes: int = 65536) -> list[str]:
    """The last `count` lines of a file, at most `most_bytes` of it; nothing for a missing file."""
    try:
        with path.open("rb") as stream:
            stream.seek(0, 2)
            stream.seek(max(0, stream.tell() - most_bytes))
            return stream.read().decode("utf-8", "replace").splitlines()[-count:]
    except OSError:
        return []
