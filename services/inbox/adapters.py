"""What the inbox keeps in its SQLite file: messages, and what it knows of the heartbeat."""

import json
import sqlite3
from collections.abc import Sequence

from services.inbox.codec import decoded, encoded
from services.inbox.database import SqliteFile
from services.inbox.domain import Message, Stored, Wanted
from services.inbox.heartbeat import Silence

LARGEST_STORE_BYTES = 32 * 1024 * 1024  # a thousand messages of Alertmanager's are a few MB

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
    """At most `limit` alerts and as many events, so that no flood of events drives out alerts."""

    def __init__(self, file: SqliteFile, limit: int) -> None:
        self._file, self._limit = file, limit

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

        return Stored(await self._file.run(insert), received_ns, message)

    async def find(self, wanted: Wanted) -> Sequence[Stored]:
        """The messages that match, newest first, without their raw payload."""
        conditions = {name: getattr(wanted, name) for name in _CONDITIONS}
        used = {name: value for name, value in conditions.items() if value is not None}
        where = " AND ".join(_CONDITIONS[name] for name in used) or "1"
        query = (
            f"SELECT id, received_ns, document, 'null' FROM message WHERE {where} "  # noqa: S608 - see _CONDITIONS
            "ORDER BY id DESC LIMIT ?"
        )
        rows = await self._file.run(lambda c: c.execute(query, (*used.values(), wanted.limit)).fetchall())
        return [_stored(row) for row in rows]

    async def get(self, message_id: int) -> Stored | None:
        """One message with its raw payload, or None."""
        query = "SELECT id, received_ns, document, raw FROM message WHERE id = ?"
        row = await self._file.run(lambda c: c.execute(query, (message_id,)).fetchone())
        return _stored(row) if row else None

    async def count(self) -> int:
        """How many messages are kept."""
        return int(await self._file.run(lambda c: c.execute("SELECT count(*) FROM message").fetchone()[0]))

    async def clear(self) -> int:
        """Forget all messages; return how many."""

        def delete(connection: sqlite3.Connection) -> int:
            with connection:
                return connection.execute("DELETE FROM message").rowcount

        return await self._file.run(delete)


class SqlitePulse:
    """The last heartbeat and the silences."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    async def load(self) -> tuple[float | None, tuple[Silence, ...]]:
        """The last heartbeat in seconds since 1970, or None, and the silences, oldest first."""
        query = "SELECT document FROM state WHERE name = 'heartbeat'"
        row = await self._file.run(lambda c: c.execute(query).fetchone())
        found = json.loads(row[0]) if row else {"last": None, "silences": []}
        return found["last"], tuple(Silence(began, until) for began, until in found["silences"])

    async def save(self, last: float | None, silences: Sequence[Silence]) -> None:
        """In place of what was known."""
        document = json.dumps({"last": last, "silences": [[one.began, one.until] for one in silences]})

        def replace(connection: sqlite3.Connection) -> None:
            with connection:
                connection.execute("INSERT OR REPLACE INTO state VALUES ('heartbeat', ?)", (document,))

        await self._file.run(replace)


def _stored(row: tuple[int, int, str, str]) -> Stored:
    number, received_ns, document, raw = row
    return Stored(number, received_ns, decoded(document, raw))
