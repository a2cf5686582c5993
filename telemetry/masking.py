"""One masker for log lines, span attributes and error events."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache

from telemetry import patterns

MASKED = patterns.MASKED
MAX_TEXT = 16 * 1024
"""Longer texts are cut, after masking, so that hostile input costs bounded time."""
_MARGIN = 1024
MAX_DEPTH = 12
MAX_ITEMS = 2000
TOO_DEEP = "***TOO_DEEP***"
TOO_MANY = "***TOO_MANY***"
_CUT = "...[cut]"
_BIG = 10**12  # a whole number of fewer digits is no card number


class LogMasker:
    """The masker under the name that callers use."""

    @staticmethod
    def mask_all(text: str) -> str:
        """The text with every secret replaced; never raises, linear in the text's length."""
        return mask_text(text)

    @staticmethod
    def mask_value(value: object) -> object:
        """The same for nested values, see `mask_value`."""
        return mask_value(value)


def hash_user_id(text: object) -> str:
    """SHA-256 of a user id as lower-case hex; a value that already is such a hash is kept."""
    plain = str(text)
    if len(plain) == 64 and patterns.SHA256.fullmatch(plain):
        return plain
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()


def mask_text(text: str) -> str:
    """See LogMasker.mask_all."""
    if len(text) <= 128:
        return _mask_short(text)
    if len(text) <= MAX_TEXT:
        return patterns.mask(text)
    return _cut(patterns.mask(text[: MAX_TEXT + _MARGIN]))


def _cut(masked: str) -> str:
    # The last bytes may hold half a secret, which no pattern knows: they go.
    return masked[: min(MAX_TEXT, max(0, len(masked) - _MARGIN))] + _CUT


@lru_cache(maxsize=4096)
def _mask_short(text: str) -> str:
    return patterns.mask(text)


def mask_value(value: object) -> object:
    """A copy of any value, made of plain types only, with every secret replaced.

    Dictionaries and sequences are walked; the values of keys that name a secret are masked whole,
    and those of keys that name a user id are hashed. Cycles, depth and size are bounded.
    """
    return _Walk().value(value)


def mask_pair(key: str, value: object) -> object:
    """The masked form of one value as it stands under `key`."""
    return _Walk().pair(key, value, 0)


class _Walk:
    """One pass over one value, with its budget of items."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = MAX_ITEMS

    def value(self, value: object, depth: int = 0) -> object:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, str):
            return mask_text(str(value))
        if isinstance(value, int):
            return _mask_int(int(value))
        if depth >= MAX_DEPTH:
            return TOO_DEEP
        return self._compound(value, depth)

    def _compound(self, value: object, depth: int) -> object:
        try:
            if isinstance(value, dict):
                return self._mapping(value, depth)
            if isinstance(value, list | tuple | set | frozenset):
                return self._items(value, depth)
            if isinstance(value, bytes | bytearray | memoryview):
                return mask_text(bytes(value[: MAX_TEXT * 2]).decode("utf-8", "replace"))
            return mask_text(str(value))
        except Exception as error:  # any object's own code may run here
            return f"<{type(value).__name__}: unprintable, {type(error).__name__}>"

    def _items(self, values: list[object] | tuple[object, ...] | set[object] | frozenset[object],
               depth: int) -> list[object] | tuple[object, ...]:
        masked: list[object] = []
        for item in values:
            self._left -= 1
            if self._left < 0:
                masked.append(TOO_MANY)
                break
            masked.append(self.value(item, depth + 1))
        return tuple(masked) if isinstance(values, tuple) else masked

    def _mapping(self, values: dict[object, object], depth: int) -> dict[str, object]:
        masked: dict[str, object] = {}
        for key, item in values.items():
            self._left -= 1
            if self._left < 0:
                masked[TOO_MANY] = TOO_MANY
                break
            name = key if isinstance(key, str) else str(key)
            shown = mask_text(name)
            while shown in masked:
                shown += "+"
            masked[shown] = self.pair(name, item, depth)
        return masked

    def pair(self, key: str, value: object, depth: int) -> object:
        kind = key_kind(key)
        if kind is None or value is None or isinstance(value, bool):
            return self.value(value, depth + 1)
        return _BY_KEY[kind](self, value, depth)

    def as_id(self, value: object, depth: int) -> object:
        if isinstance(value, str) and patterns.IDENTIFIER.fullmatch(value):
            return str(value)
        return self.value(value, depth + 1)

    def as_count(self, value: object, depth: int) -> object:
        return value if isinstance(value, int | float) else MASKED


def _mask_int(value: int) -> object:
    if -_BIG < value < _BIG:
        return value
    if value.bit_length() > 256:
        return "***HUGE_NUMBER***"
    text = str(value)
    return value if patterns.mask(text) == text else patterns.mask(text)


_BY_KEY: dict[str, Callable[[_Walk, object, int], object]] = {
    "secret": lambda walk, value, depth: MASKED,
    "count": _Walk.as_count,
    "user": lambda walk, value, depth: hash_user_id(value) if isinstance(value, str | int) else MASKED,
    "id": _Walk.as_id,
    "email": lambda walk, value, depth: patterns.EMAIL_MASKED if isinstance(value, str) else walk.value(value, depth + 1),
    "phone": lambda walk, value, depth: patterns.PHONE_MASKED,
    "card": lambda walk, value, depth: patterns.CARD_MASKED,
}


@lru_cache(maxsize=4096)
def key_kind(key: str) -> str | None:
    """What a key promises about its value: secret, count, user, id, email, phone, card or nothing."""
    return patterns.key_kind(key[:256])
