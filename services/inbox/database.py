"""An SQLite file used by one thread, so that the event loop never waits for the disk."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from services.inbox.domain import StoreUnavailableError

FILE_NAME = "inbox.sqlite3"
BUSY_SECONDS = 2.0
T = TypeVar("T")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    received_ns INTEGER NOT NULL,
    kind TEXT NOT NULL,
    receiver TEXT NOT NULL,
    channel TEXT NOT NULL,
    status TEXT NOT NULL,
    alertnames TEXT NOT NULL,
    document TEXT NOT NULL,
    raw TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS state (
    name TEXT PRIMARY KEY,
    document TEXT NOT NULL
);
"""


class SqliteFile:
    """The file in `folder`. One that is damaged is moved aside and a fresh one begun.

    `on_damaged` is told the path that the damaged file was moved to and why.
    """

    def __init__(self, folder: Path, *, on_damaged: Callable[[Path, str], None]) -> None:
        self._path = folder / FILE_NAME
        self._on_damaged = on_damaged
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox-store")
        self._connection: sqlite3.Connection | None = None

    async def close(self) -> None:
        """Close the file; the store opens it again if it is used again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def run(self, action: Callable[[sqlite3.Connection], T]) -> T:
        """What `action` gives, done in the file's thread; StoreUnavailableError."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._in_thread, action)

    def _in_thread(self, action: Callable[[sqlite3.Connection], T]) -> T:
        try:
            with self._recovery():
                return action(self._connected())
            return action(self._connected())  # reached only after a damaged file was moved aside
        except (sqlite3.Error, OSError) as error:
            self._disconnect()
            raise StoreUnavailableError(f"{type(error).__name__}: {error}") from error

    @contextlib.contextmanager
    def _recovery(self) -> Iterator[None]:
        """Swallow the error of a damaged file once it is out of the way, and let all others pass."""
        try:
            yield
        except sqlite3.OperationalError:  # locked, full or read-only: nothing is wrong with the file
            raise
        except sqlite3.DatabaseError as error:
            self._disconnect()
            self._move_aside(str(error))

    def _connected(self) -> sqlite3.Connection:
        if self._connection is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS)
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = NORMAL")
                verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
                if verdict != "ok":
                    raise sqlite3.DatabaseError(verdict)
                connection.executescript(_SCHEMA)
            except BaseException:
                connection.close()
                raise
            self._connection = connection
        return self._connection

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _move_aside(self, why: str) -> None:
        aside = self._path.with_name(f"{FILE_NAME}.damaged")  # one name: the folder stays bounded
        self._path.replace(aside)
        for suffix in ("-wal", "-shm"):
            self._path.with_name(FILE_NAME + suffix).unlink(missing_ok=True)
        self._on_damaged(aside, why)
