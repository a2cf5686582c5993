"""A fault's form: what a service declares becomes fields, and what is typed becomes what is sent."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from faults.declared import DEFAULT_TTL_SECONDS, MAXIMUM_TTL_SECONDS, MINIMUM_TTL_SECONDS
from firedrill.errors import UsageError
from firedrill.fault.client import Found, Parameter, Value

__all__ = [
    "DEFAULT_TTL_SECONDS",
    "MAXIMUM_TTL_SECONDS",
    "MINIMUM_TTL_SECONDS",
    "Field",
    "Row",
    "asked",
    "checked_ttl",
    "rows",
]


@dataclass(frozen=True)
class Field:
    """One parameter: `bounds` and `unit` as they stand beside the field, `value` what it begins with."""

    name: str
    value: str
    choices: tuple[str, ...]
    bounds: str
    unit: str
    help: str


@dataclass(frozen=True)
class Row:
    """One fault; `left` is how many seconds it stays set (None: it is not), `values` to what."""

    service: str
    name: str
    help: str
    fields: tuple[Field, ...]
    values: str
    left: float | None

    @property
    def full_name(self) -> str:
        """service/name, as the command line takes it."""
        return f"{self.service}/{self.name}"


def rows(found: Iterable[Found], *, now: float) -> list[Row]:
    """The faults of services, those that are in first."""
    made = [_row(one, now) for one in found]
    return sorted(made, key=lambda row: (row.left is None, row.service, row.name))


def asked(fault: Found, typed: Mapping[str, str]) -> dict[str, Value]:
    """The parameters to send. Raises UsageError that names the field and what it takes."""
    known = {parameter.name: parameter for parameter in fault.parameters}
    return {name: _value(known[name], text) for name, text in typed.items() if name in known}


def checked_ttl(text: str) -> float:
    """Seconds that a fault stays in. Raises UsageError."""
    bounds = f"{MINIMUM_TTL_SECONDS} to {MAXIMUM_TTL_SECONDS} seconds"
    try:
        seconds = float(text)
    except ValueError:
        raise UsageError(f"{text[:40]!r} is no time", f"a fault stays in for {bounds}", "") from None
    if not MINIMUM_TTL_SECONDS <= seconds <= MAXIMUM_TTL_SECONDS:
        raise UsageError(f"{seconds:g} s is not allowed", f"a fault stays in for {bounds}", "")
    return seconds


def _row(fault: Found, now: float) -> Row:
    left = None
    if fault.active is not None and fault.expires_at is not None and fault.expires_at > now:
        left = fault.expires_at - now
    values = ", ".join(f"{name} {_number(value)}" for name, value in (fault.active or {}).items())
    return Row(
        service=fault.service,
        name=fault.name,
        help=fault.help,
        fields=tuple(_field(one, (fault.active or {}).get(one.name)) for one in fault.parameters),
        values=values if left is not None else "",
        left=left,
    )


def _field(parameter: Parameter, value: Value | None) -> Field:
    begins = parameter.default if value is None else value
    return Field(
        parameter.name, _number(begins), parameter.choices, _bounds(parameter), parameter.unit, parameter.help
    )


def _bounds(parameter: Parameter) -> str:
    low, high = parameter.minimum, parameter.maximum
    if parameter.choices:
        return "one of " + ", ".join(parameter.choices)
    if isinstance(parameter.default, str) or (low is None and high is None):
        return ""
    if high is None:
        return f"at least {low:g}"
    return f"at most {high:g}" if low is None else f"{low:g} to {high:g}"


def _value(parameter: Parameter, text: str) -> Value:
    text = text.strip()
    if isinstance(parameter.default, str):
        return _chosen(parameter, text)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"{parameter.name} must be a number", f"it is {text[:40]!r}", _bounds(parameter))
    if isinstance(parameter.default, int) and not number.is_integer():
        raise UsageError(f"{parameter.name} must be a whole number", f"it is {text}", _bounds(parameter))
    low, high = parameter.minimum, parameter.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise UsageError(f"{parameter.name} must be {_bounds(parameter)} {parameter.unit}".strip(), "", "")
    return int(number) if isinstance(parameter.default, int) else number


def _chosen(parameter: Parameter, text: str) -> str:
    choices: Sequence[str] = parameter.choices
    if choices and text not in choices:
        raise UsageError(f"{parameter.name} must be one of {', '.join(choices)}", f"it is {text[:40]!r}", "")
    return text


def _number(value: Value) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)
