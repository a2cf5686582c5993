"""The inbox's settings, read once from the environment."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

DEFAULT_MESSAGES = 1_000
MOST_MESSAGES = 100_000


class SettingsError(ValueError):
    """A setting that cannot be used; the text says which, why and what would do."""


@dataclass(frozen=True)
class Settings:
    """Where messages are kept, how many, and where the runbooks of the slices stand."""

    data: Path
    max_messages: int
    runbooks: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "Settings":
        """From INBOX_DATA, INBOX_MAX_MESSAGES and INBOX_RUNBOOKS; SettingsError for a bad number."""
        data = environ.get("INBOX_DATA") or str(Path(tempfile.gettempdir()) / "firedrill-inbox")
        runbooks = environ.get("INBOX_RUNBOOKS") or str(Path(__file__).parent.parent)
        text = environ.get("INBOX_MAX_MESSAGES") or str(DEFAULT_MESSAGES)
        if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MOST_MESSAGES):
            raise SettingsError(
                f"INBOX_MAX_MESSAGES is {text[:20]!r}; use a number from 1 to {MOST_MESSAGES}"
            )
        return cls(data=Path(data), max_messages=int(text), runbooks=Path(runbooks))
