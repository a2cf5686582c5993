"""The inbox's settings, read once from the environment."""

import math
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MESSAGES = 1_000
MOST_MESSAGES = 100_000
# Three heartbeats at production pace.
DEFAULT_HEARTBEAT_LIMIT = 180.0
SERVICES = Path(__file__).parent.parent


class SettingsError(ValueError):
    """A setting that cannot be used; the text says which, why and what would do."""


@dataclass(frozen=True)
class Settings:
    """Where messages are kept, how many, where runbooks stand, and what is listened to.

    `smtp` is host and port of the mail server, None for none; `heartbeat_limit` is in seconds.
    """

    data: Path
    max_messages: int
    runbooks: Path
    platform: Path | None = None
    smtp: tuple[str, int] | None = None
    heartbeat_limit: float = DEFAULT_HEARTBEAT_LIMIT

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """From the variables INBOX_*; SettingsError for one that cannot be used."""
        platform = environ.get("INBOX_PLATFORM")
        return cls(
            data=Path(environ.get("INBOX_DATA") or str(Path(tempfile.gettempdir()) / "firedrill-inbox")),
            max_messages=_messages(environ.get("INBOX_MAX_MESSAGES") or str(DEFAULT_MESSAGES)),
            runbooks=Path(environ.get("INBOX_RUNBOOKS") or SERVICES),
            platform=Path(platform) if platform else None,
            smtp=_listen(environ.get("INBOX_SMTP_LISTEN", "")),
            heartbeat_limit=_limit(environ.get("INBOX_HEARTBEAT_LIMIT") or str(DEFAULT_HEARTBEAT_LIMIT)),
        )


def _messages(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_MESSAGES):
        raise SettingsError(f"INBOX_MAX_MESSAGES is {text[:20]!r}; use a number from 1 to {MOST_MESSAGES}")
    return int(text)


def _listen(text: str) -> tuple[str, int] | None:
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if not host or not (port.isascii() and port.isdigit() and int(port[:6]) <= 65_535):
        raise SettingsError(
            f"INBOX_SMTP_LISTEN is {text[:60]!r}; use host:port, or nothing for no mail server"
        )
    return host, int(port)


def _limit(text: str) -> float:
    try:
        limit = float(text)
    except ValueError:
        limit = math.nan
    if not 1 <= limit <= 86_400:
        raise SettingsError(f"INBOX_HEARTBEAT_LIMIT is {text[:20]!r}; use seconds, from 1 to 86400")
    return limit
