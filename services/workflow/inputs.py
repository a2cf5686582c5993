"""The check of what an instance is started with."""

import math
import unicodedata
from collections.abc import Mapping

from services.workflow.domain import BadInputError, Value
from services.workflow.graph import Definition, Field

LONGEST_TEXT = 200
LARGEST_NUMBER = 1e15


def normalise(given: Mapping[str, object], definition: Definition) -> dict[str, Value]:
    """Every field of the workflow with the given value or its default.

    Raises BadInputError for a field that the workflow does not have, a value of another kind, a number that
    is not finite or beyond 1e15, a text that is empty, too long or holds a control character.
    """
    known = {field.name for field in definition.fields}
    unknown = sorted(name[:64] for name in given if name not in known)
    if unknown:
        raise BadInputError(
            f"{definition.id} has no field {unknown[0]!r}; it has: {', '.join(sorted(known))}"
        )
    return {one.name: _checked(given[one.name], one) if one.name in given else one.default
            for one in definition.fields}  # fmt: skip


def _checked(raw: object, field: Field) -> Value:
    if field.kind == "flag" and isinstance(raw, bool):
        return raw
    if field.kind == "text" and isinstance(raw, str):
        return _text(raw, field)
    if field.kind == "number" and isinstance(raw, int | float) and not isinstance(raw, bool):
        if not -LARGEST_NUMBER <= raw <= LARGEST_NUMBER or not math.isfinite(raw):  # false for NaN too
            raise BadInputError(f"input.{field.name} must be a finite number of at most 1e15")
        return float(raw)
    raise BadInputError(f"input.{field.name} must be a {field.kind}")


def _text(raw: str, field: Field) -> str:
    text = unicodedata.normalize("NFC", raw.strip()) if len(raw) <= LONGEST_TEXT else ""
    if not text:
        raise BadInputError(f"input.{field.name} must be a text of 1 to {LONGEST_TEXT} characters")
    if any(unicodedata.category(character) in {"Cc", "Cs"} for character in text):
        raise BadInputError(f"input.{field.name} holds a control character or half a character")
    return text
