"""One masker for log lines, span attributes and error events."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import unquote_plus

from telemetry import patterns
from telemetry.secret_names import Kind, kind_of

MAX_TEXT = 16 * 1024
"""Longer texts are cut, after masking, so that hostile input costs bounded time."""
_MARGIN = 1024
MAX_DEPTH = 12
MAX_ITEMS = 2000
TOO_DEEP = "***TOO_DEEP***"
TOO_MANY = "***TOO_MANY***"
UNREADABLE = "***UNREADABLE***"
_CUT = "...[cut]"
_SHORT = 128  # masked texts up to this length are remembered
_SMALLEST_CARD = 10**12
_QUICK = frozenset((str, float, bool, type(None)))  # no code of theirs can run
# As a URL's query carries spaces and signs: %20, or a plus between two digits behind a name.
_ENCODED = re.compile(r"%[0-9A-Fa-f]{2}|=[^\s]{0,256}?\d\+\d")
_masking = True


class LogMasker:
    """The masker under the name that callers use."""

    @staticmethod
    def mask_all(text: str) -> str:
        """The text with every secret replaced; never raises, in time linear in the text's length."""
        return mask_text(text)


def set_masking(*, on: bool) -> None:
    """Switch all masking of this process; only tests that prove the search for secrets switch it off."""
    global _masking  # noqa: PLW0603 - one switch for the process, read on the path of every line
    if on != _masking:
        _masking = on
        _mask_short.cache_clear()
        _kind.cache_clear()


def hash_user_id(text: object) -> str:
    """SHA-256 of a user id as lower-case hex; a value that already is such a hash is kept."""
    plain = str(text)
    if len(plain) == 64 and patterns.SHA256.fullmatch(plain):
        return plain
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def mask_text(text: str) -> str:
    """See LogMasker.mask_all."""
    if len(text) <= _SHORT:
        return _mask_short(text)
    if len(text) <= MAX_TEXT:
        return _mask(text)
    masked = _mask(text[: MAX_TEXT + _MARGIN])
    # The end may hold half a secret, which no pattern knows: it goes.
    return masked[: min(MAX_TEXT, max(0, len(masked) - _MARGIN))] + _CUT


@lru_cache(maxsize=4096)
def _mask_short(text: str) -> str:
    return _mask(text)


def _mask(text: str) -> str:
    if not _masking:
        return text
    masked = patterns.mask(text)
    if ("%" in masked or "+" in masked) and _ENCODED.search(masked):
        plain = unquote_plus(masked)
        shown = patterns.mask(plain)
        if shown != plain:  # only what holds a secret is shown decoded
            return shown
    return masked


@lru_cache(maxsize=4096)
def _kind(name: str) -> Kind | None:
    return kind_of(name) if _masking else None


def mask_value(value: object) -> object:
    """A copy of any value, made of plain types only, with every secret replaced; never raises.

    Dictionaries and sequences are walked; the values of keys that name a secret are masked whole,
    and those of keys that name a user id are hashed. Cycles, depth and size are bounded.
    """
    try:
        return _Walk().value(value, 0)
    except Exception:  # any object's own code may have run
        return UNREADABLE


def mask_pair(key: str, value: object) -> object:
    """The masked form of one value as it stands under `key`; never raises."""
    if type(value) in _QUICK and _kind(key[-_SHORT:]) is None:
        return mask_text(value) if isinstance(value, str) else value
    try:
        return _Walk().pair(key, value, 0)
    except Exception:  # any object's own code may have run
        return UNREADABLE


class _Walk:
    """One pass over one value, with its budget of items."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_ITEMS

    def value(self, value: object, depth: int) -> object:  # noqa: PLR0911 - one line a type
        if value is None or value is True or value is False or isinstance(value, float):
            return value
        if isinstance(value, str):
            return mask_text(str.__str__(value))
        if isinstance(value, int):
            return _mask_int(int.__index__(value))
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        if isinstance(value, dict):
            return self._mapping(value, depth)
        if isinstance(value, tuple):
            return tuple(self._items(value, depth))
        if isinstance(value, list | set | frozenset):
            return self._items(value, depth)
        if isinstance(value, bytes | bytearray | memoryview):
            return mask_text(bytes(value[: MAX_TEXT * 2]).decode("utf-8", "replace"))
        return self._other(value)

    def _other(self, value: object) -> object:
        try:
            return mask_text(str(value))
        except Exception:  # the object's own __str__ failed: the values beside it are still good
            return UNREADABLE

    def _items(self, values: Iterable[object], depth: int) -> list[object]:
        masked: list[object] = []
        for item in values:
            self._left -= 1
            if self._left < 0:
                masked.append(TOO_MANY)
                break
            masked.append(self.value(item, depth + 1))
        return masked

    def _mapping(self, values: dict[object, object], depth: int) -> dict[str, object]:
        masked: dict[str, object] = {}
        for key, item in values.items():
            self._left -= 1
            if self._left < 0:
                masked[TOO_MANY] = TOO_MANY
                break
            name = str.__str__(key) if isinstance(key, str) else str(key)
            shown = mask_text(name)
            while shown in masked:
                shown += "+"
            masked[shown] = self.pair(name, item, depth)
        return masked

    def pair(self, key: str, value: object, depth: int) -> object:
        if value is None or value is True or value is False:
            return value
        kind = _kind(key[-_SHORT:])
        if kind is None:
            return self.value(value, depth + 1)
        return self._by_kind(kind, value, depth)

    def _by_kind(self, kind: Kind, value: object, depth: int) -> object:
        if kind is Kind.SECRET:
            return patterns.MASKED
        if kind is Kind.USER:
            return hash_user_id(value) if isinstance(value, str | int) else patterns.MASKED
        if kind is Kind.ID:
            is_id = isinstance(value, str) and patterns.IDENTIFIER.fullmatch(value)
            return value if is_id else self.value(value, depth + 1)
        if kind is Kind.COUNT:
            return value if isinstance(value, int | float) else patterns.MASKED
        if not isinstance(value, str | int):
            return self.value(value, depth + 1)
        return _MARKERS[kind]


_MARKERS = {
    Kind.EMAIL: patterns.EMAIL_MASKED,
    Kind.PHONE: patterns.PHONE_MASKED,
    Kind.CARD: patterns.CARD_MASKED,
}


def _mask_int(value: int) -> object:
    """A whole number; one that is a card number becomes text, and so does one of absurd length."""
    if -_SMALLEST_CARD < value < _SMALLEST_CARD:
        return value
    if value.bit_length() > 256:
        return "***HUGE_NUMBER***"
    text = str(value)
    masked = _mask(text)
    return value if masked == text else masked
