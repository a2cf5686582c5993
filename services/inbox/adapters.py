"""Messages in an SQLite file, used by one thread so that the event loop never waits for the disk."""

import asyncio
import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from services.inbox.codec import decoded, encoded
from services.inbox.domain import Message, Stored, StoreUnavailableError, Wanted

FILE_NAME = "inbox.sqlite3"
BUSY_SECONDS = 2.0
LARGEST_STORE_BYTES = 32 * 1024 * 1024  # a thousand messages of Alertmanager's are a few MB
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
)
"""
_INSERT = """
INSERT INTO message (received_ns, kind, receiver, channel, status, alertnames, document, raw)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
"""
_PRUNE = """
DELETE FROM message WHERE id IN (
    SELECT id FROM (
        SELECT id, row_number() OVER newest AS place,
               sum(length(document) + length(raw)) OVER newest AS size
        FROM message WINDOW newest AS (PARTITION BY kind = 'sentry' ORDER BY id DESC)
    ) WHERE place > ? OR (size > ? AND place > 1)
)
"""
# Each filter is a column or expression of our own; only values come from outside, as parameters.
_CONDITIONS = {
    "receiver": "receiver = ?",
    "channel": "channel = ?",
    "status": "status = ?",
    "kind": "kind = ?",
    "without": "kind <> ?",
    "alertname": "EXISTS (SELECT 1 FROM json_each(alertnames) WHERE json_each.value = ?)",
    "since": "received_ns / 1e9 > ?",
}


class SqliteMessages:
    """At most `limit` alerts and as many events in `folder`, so that no flood of events drives out alerts.

    A file that is damaged is moved aside and a fresh one begun.

    `on_damaged` is told the path that the damaged file was moved to and why.
    """

    def __init__(self, folder: Path, limit: int, *, on_damaged: Callable[[Path, str], None]) -> None:
        self._path = folder / FILE_NAME
        self._limit = limit
        self._on_damaged = on_damaged
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="inbox-store")
        self._connection: sqlite3.Connection | None = None

    async def add(self, message: Message, received_ns: int) -> Stored:
        """Keep a message; the oldest give way."""
        document = encoded(message)
        row = (
            received_ns,
            message.kind.value,
            message.receiver,
            message.channel,
            message.status.value,
            json.dumps(message.alertnames),
            document,
            json.dumps(message.raw),
        )

        def insert(connection: sqlite3.Connection) -> int:
            with connection:
                number = connection.execute(_INSERT, row).lastrowid
                connection.execute(_PRUNE, (self._limit, LARGEST_STORE_BYTES))
            return int(number or 0)

        return Stored(await self._run(insert), received_ns, message)

    async def find(self, wanted: Wanted) -> Sequence[Stored]:
        """The messages that match, newest first, without their raw payload."""
        conditions = {name: getattr(wanted, name) for name in _CONDITIONS}
        used = {name: value for name, value in conditions.items() if value is not None}
        where = " AND ".join(_CONDITIONS[name] for name in used) or "1"
        query = (
            f"SELECT id, received_ns, document, 'null' FROM message WHERE {where} "  # noqa: S608 - see _CONDITIONS
            "ORDER BY id DESC LIMIT ?"
        )
        rows = await self._run(lambda c: c.execute(query, (*used.values(), wanted.limit)).fetchall())
        return [_stored(row) for row in rows]

    async def get(self, message_id: int) -> Stored | None:
        """One message with its raw payload, or None."""
        query = "SELECT id, received_ns, document, raw FROM message WHERE id = ?"
        row = await self._run(lambda c: c.execute(query, (message_id,)).fetchone())
        return _stored(row) if row else None

    async def count(self) -> int:
        """How many messages are kept."""
        return int(await self._run(lambda c: c.execute("SELECT count(*) FROM message").fetchone()[0]))

    async def clear(self) -> int:
        """Forget all messages; return how many."""

        def delete(connection: sqlite3.Connection) -> int:
            with connection:
                return connection.execute("DELETE FROM message").rowcount

        return await self._run(delete)

    async def close(self) -> None:
        """Close the file; the store opens it again if it is used again."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._disconnect)
        self._thread.shutdown(wait=False)

    async def _run(self, action: Callable[[sqlite3.Connection], T]) -> T:
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
                connection.execute(_SCHEMA)
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


def _stored(row: tuple[int, int, str, str]) -> Stored:
    number, received_ns, document, raw = row
    return Stored(number, received_ns, decoded(document, raw))
