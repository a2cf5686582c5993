"""The file that all workers and replicas of one service share: which faults are set, and until when."""

import contextlib
import fcntl
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from faults.declared import MAXIMUM_TTL_SECONDS, BadParameterError, Fault, Value
from telemetry.logs import get_logger

LOCK_DEADLINE_SECONDS = 2.0  # a writer holds the lock for one small file; longer means that it is stuck
LARGEST_FILE_BYTES = 65_536
UNREADABLE = "Fault state unreadable, no fault is active"

Signature = tuple[int, int, int]


class StateUnavailableError(Exception):
    """The state file cannot be written: a closed folder, or a lock that is not released."""


@dataclass(frozen=True)
class SetFault:
    """A fault that is set; times are seconds since 1970 by the wall clock, which all replicas share."""

    parameters: Mapping[str, Value]
    set_at: float
    expires_at: float


class StateFile:
    """`<folder>/<service>.json`: read without a lock, changed as a whole under a file lock."""

    def __init__(
        self, folder: Path, service: str, faults: Mapping[str, Fault], *, clock: Callable[[], float]
    ) -> None:
        self.path = folder / f"{service}.json"
        self._lock_path = folder / f"{service}.lock"
        self._faults = faults
        self._clock = clock
        self._log = get_logger("faults")
        self._warned: Signature | str | None = None

    def signature(self) -> Signature | None:
        """What changes when the file is replaced; None when there is none or it cannot be reached."""
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return None
        except OSError as error:
            self._warn_once(type(error).__name__, str(error))
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino

    def read(self) -> dict[str, SetFault]:
        """The faults that are declared and not expired; a broken file gives none and one WARNING."""
        try:
            with self.path.open("rb") as file:
                content = file.read(LARGEST_FILE_BYTES + 1)
            if len(content) > LARGEST_FILE_BYTES:
                raise ValueError(f"larger than {LARGEST_FILE_BYTES} bytes")
            return self._parsed(content)
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            self._warn_once(self.signature() or "unreadable", str(error))
            return {}

    def change(self, edit: Callable[[dict[str, SetFault]], None]) -> dict[str, SetFault]:
        """Apply `edit` to what is set, alone among all writers; StateUnavailableError if that cannot be."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._lock():
                current = self.read()
                edit(current)
                self._write(current)
        except OSError as error:
            raise StateUnavailableError(f"{error.strerror or error}: {self.path.parent}") from error
        return current

    def _parsed(self, content: bytes) -> dict[str, SetFault]:
        document = json.loads(content)
        if not isinstance(document, dict) or not isinstance(document.get("active"), dict):
            raise ValueError("not a fault state file")
        now = self._clock()
        result = {}
        for name, entry in document["active"].items():
            found = self._entry(name, entry)
            if found.expires_at - now > MAXIMUM_TTL_SECONDS + 1:
                raise BadParameterError(f"{name} would last longer than {MAXIMUM_TTL_SECONDS} s")
            if found.expires_at > now:
                result[name] = found
        return result

    def _entry(self, name: str, entry: object) -> SetFault:
        fault = self._faults.get(name)
        if fault is None:
            raise ValueError(f"unknown fault {name[:50]!r}")
        if not isinstance(entry, dict) or not isinstance(entry.get("parameters"), dict):
            raise ValueError(f"{name} has no parameters")
        times = [entry.get("set_at"), entry.get("expires_at")]
        if not all(isinstance(value, int | float) and abs(value) < 1e12 for value in times):
            raise ValueError(f"{name} has no expiry")
        return SetFault(
            fault.checked(entry["parameters"]), float(entry["set_at"]), float(entry["expires_at"])
        )

    def _write(self, current: Mapping[str, SetFault]) -> None:
        active = {
            name: {"parameters": dict(f.parameters), "set_at": f.set_at, "expires_at": f.expires_at}
            for name, f in sorted(current.items())
        }
        handle, temporary = tempfile.mkstemp(prefix=self.path.name, dir=self.path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"active": active}, file)
            Path(temporary).replace(self.path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        end = time.monotonic() + LOCK_DEADLINE_SECONDS
        with self._lock_path.open("a") as file:
            while True:
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= end:
                        raise StateUnavailableError(
                            f"another process holds the fault state for more than {LOCK_DEADLINE_SECONDS:g} s"
                        ) from None
                    time.sleep(0.01)
            yield

    def _warn_once(self, key: Signature | str, reason: str) -> None:
        if self._warned != key:
            self._warned = key
            self._log.warning(UNREADABLE, path=str(self.path), reason=reason)
