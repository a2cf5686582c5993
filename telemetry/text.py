"""Text and JSON that a database and a log can hold, checked at the edge.

`SafeText` is a `str` without NUL characters and lone surrogates, for Pydantic models and for path
and query parameters: `name: SafeText`. `SafeJson` is the same for nested JSON of any shape, without
NaN and infinities. What is not allowed becomes a validation error (422), not a failure later on.
"""

from __future__ import annotations

import math
from typing import Annotated, TypeVar

from pydantic import AfterValidator, JsonValue

T = TypeVar("T")
MAX_DEPTH = 32


def check_text(text: str) -> str:
    """The same text; ValueError when PostgreSQL or UTF-8 cannot hold it."""
    if "\x00" in text:
        raise ValueError("text must not contain NUL characters")
    if any("\ud800" <= character <= "\udfff" for character in text) if not text.isascii() else False:
        raise ValueError("text must not contain lone surrogates")
    return text


def check_json(value: T, depth: int = 0) -> T:
    """The same value; ValueError for unsafe text, numbers that are not finite, and deep nesting."""
    if depth > MAX_DEPTH:
        raise ValueError(f"JSON must not be nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, str):
        check_text(value)
    elif isinstance(value, float) and not math.isfinite(value):
        raise ValueError("numbers must be finite")
    elif isinstance(value, dict):
        for key, item in value.items():
            check_text(str(key))
            check_json(item, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            check_json(item, depth + 1)
    return value


SafeText = Annotated[str, AfterValidator(check_text)]
SafeJson = Annotated[JsonValue, AfterValidator(check_json)]
