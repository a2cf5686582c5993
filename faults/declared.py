"""What a service declares about its faults, and the check of what a caller asks for against it."""

import math
import string
from collections.abc import Mapping
from dataclasses import dataclass

Value = float | int | str

MINIMUM_TTL_SECONDS = 1
MAXIMUM_TTL_SECONDS = 3600  # a forgotten fault must not outlive a working hour
DEFAULT_TTL_SECONDS = 300
LONGEST_TEXT = 200
_NAME_CHARACTERS = frozenset(string.ascii_lowercase + string.digits + "_-")


class BadParameterError(ValueError):
    """A parameter or time to live that its declaration does not allow; the text says which and why."""


@dataclass(frozen=True)
class Parameter:
    """One adjustable number or text of a fault; its type is that of `default`, its bounds are inclusive.

    `choices`, of a text only, are all that it may be; none means any printable text.
    """

    name: str
    default: Value
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    help: str = ""
    choices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a declaration whose own default would be refused (ValueError)."""
        self.checked(self.default)

    def checked(self, value: object) -> Value:
        """`value` in the declared type, or BadParameterError."""
        if isinstance(self.default, str):
            return self._checked_text(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise BadParameterError(f"{self.name} must be a number, not {_kind(value)}")
        if isinstance(self.default, int) and not isinstance(value, int):
            raise BadParameterError(f"{self.name} must be a whole number")
        if self.minimum is not None and value < self.minimum:
            raise BadParameterError(f"{self.name} must be at least {self.minimum:g}{self._unit()}")
        if self.maximum is not None and value > self.maximum:
            raise BadParameterError(f"{self.name} must be at most {self.maximum:g}{self._unit()}")
        if isinstance(self.default, int):
            return value
        return _finite(self.name, value)

    def _checked_text(self, value: object) -> str:
        if not isinstance(value, str):
            raise BadParameterError(f"{self.name} must be a text, not {_kind(value)}")
        if len(value) > LONGEST_TEXT or not value.isprintable():
            raise BadParameterError(f"{self.name} must be at most {LONGEST_TEXT} printable characters")
        if self.choices and value not in self.choices:
            raise BadParameterError(f"{self.name} must be one of: {', '.join(self.choices)}")
        return value

    def _unit(self) -> str:
        return f" {self.unit}" if self.unit else ""


@dataclass(frozen=True)
class Fault:
    """One named breakage; `name` is of lower-case letters, digits, _ and -."""

    name: str
    help: str
    parameters: tuple[Parameter, ...] = ()

    def __post_init__(self) -> None:
        """Refuse a name unfit for a URL or a label, and a parameter declared twice (ValueError)."""
        if not self.name or not _NAME_CHARACTERS.issuperset(self.name):
            raise ValueError(f"fault name {self.name!r} must be of a-z, 0-9, _ and -")
        names = [parameter.name for parameter in self.parameters]
        if len(set(names)) != len(names):
            raise ValueError(f"fault {self.name} declares a parameter twice")

    def checked(self, asked: Mapping[str, object]) -> dict[str, Value]:
        """Every declared parameter with the asked or the default value; BadParameterError for more."""
        known = {parameter.name for parameter in self.parameters}
        unknown = sorted(set(asked) - known)
        if unknown:
            listed = ", ".join(sorted(known)) or "none"
            raise BadParameterError(
                f"fault {self.name} has no parameter {unknown[0][:50]!r}; it has: {listed}"
            )
        return {p.name: p.checked(asked.get(p.name, p.default)) for p in self.parameters}


def checked_ttl(value: object) -> float:
    """Seconds that a fault may stay set, or BadParameterError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadParameterError(f"ttl_seconds must be a number, not {_kind(value)}")
    if not MINIMUM_TTL_SECONDS <= value <= MAXIMUM_TTL_SECONDS:  # NaN compares false, so it ends here too
        raise BadParameterError(f"ttl_seconds must be {MINIMUM_TTL_SECONDS} to {MAXIMUM_TTL_SECONDS}")
    return float(value)


def _finite(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        raise BadParameterError(f"{name} is too large") from None
    if not math.isfinite(number):
        raise BadParameterError(f"{name} must be a finite number")
    return number


def _kind(value: object) -> str:
    names = {bool: "a truth value", str: "a text", list: "a list", dict: "an object", type(None): "null"}
    return names.get(type(value), type(value).__name__)
