"""`firedrill fault`: list, set and clear; what they print and what they refuse before a service is asked."""

import json
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from rich.console import Console

from firedrill.clients import open_http
from firedrill.errors import FiredrillError, UsageError

from .client import Faults, Found, Parameter, Value

EXAMPLE = "firedrill fault set fds/cti_slow milliseconds=150 --ttl 60"
Clock = Callable[[], float]


def listing(console: Console, services: Sequence[str], *, as_json: bool) -> int:
    """Print the faults of `services`, or of all that run. Raises as Faults."""
    with _faults() as faults:
        return show_list(console, faults, services, as_json=as_json)


def set_fault(console: Console, name: str, parameters: Sequence[str], ttl_seconds: float | None) -> int:
    """Set `service/fault` with `key=value` parameters. Raises as Faults, and UsageError."""
    with _faults() as faults:
        return do_set(console, faults, name, parameters, ttl_seconds=ttl_seconds)


def clear(console: Console, names: Sequence[str]) -> int:
    """Clear what is named, service/fault or whole services, or everything. Raises as Faults."""
    with _faults() as faults:
        return do_clear(console, faults, names)


@contextmanager
def _faults() -> Iterator[Faults]:
    from firedrill.stack import current  # noqa: PLC0415 - the runtime is heavy, and tests do without it

    with open_http() as http:
        yield Faults(current(), http=http)


def show_list(
    console: Console, faults: Faults, services: Sequence[str], *, as_json: bool, clock: Clock = time.time
) -> int:
    """What can be broken, with bounds, and what is broken until when."""
    found = [fault for service in services or faults.services() for fault in faults.listed(service)]
    if as_json:
        told = [asdict(fault) for fault in found]
        _say(console, json.dumps(told, indent=2))
        return 0
    for fault in found:
        _say(console, f"{fault.full_name}{_until(fault, clock())}")
        _say(console, f"    {fault.help}")
        for parameter in fault.parameters:
            _say(console, f"    {described(parameter)}")
    _say(console, f"set one: {EXAMPLE}; heal all: firedrill fault clear")
    return 0


def do_set(
    console: Console,
    faults: Faults,
    name: str,
    parameters: Sequence[str],
    *,
    ttl_seconds: float | None,
    clock: Clock = time.time,
) -> int:
    """Set it, and say with which values, for how long, and how to heal it."""
    service, fault = split_name(name)
    if fault is None:
        raise UsageError(f"{name!r} names no fault", "a fault is service/name", EXAMPLE)
    if ttl_seconds is not None and not math.isfinite(ttl_seconds):
        raise UsageError("the time to live must be a number of seconds", f"it is {ttl_seconds}", EXAMPLE)
    found = faults.set(service, fault, dict(map(split_parameter, parameters)), ttl_seconds=ttl_seconds)
    _say(console, f"{found.full_name}{_until(found, clock())}")
    _say(console, f"heal it before: firedrill fault clear {found.full_name}")
    return 0


def do_clear(console: Console, faults: Faults, names: Sequence[str]) -> int:
    """Clear; of several, one that does not answer does not keep the others from being healed."""
    problems: list[FiredrillError] = []
    for name in names or faults.services():
        service, fault = split_name(name)
        try:
            faults.clear(service, fault)
        except FiredrillError as error:
            problems.append(error)
        else:
            _say(console, f"{name}: healed")
    if not problems:
        return 0
    for problem in problems[:-1]:
        _say(console, str(problem))
    raise problems[-1]


def split_name(name: str) -> tuple[str, str | None]:
    """service/fault in two; a service alone has no fault. Raises UsageError."""
    service, slash, fault = name.partition("/")
    if not service or "/" in fault or (slash and not fault):
        raise UsageError(f"{name!r} names no fault", "a fault is service/name", "firedrill fault list")
    return service, fault or None


def split_parameter(text: str) -> tuple[str, Value]:
    """key=value; a number where it reads as one. Raises UsageError."""
    key, equals, value = text.partition("=")
    if not key or not equals or not value:
        raise UsageError(f"{text!r} is no parameter", "parameters are written key=value", EXAMPLE)
    try:
        number = float(value)
    except ValueError:
        return key, value
    if not math.isfinite(number):
        raise UsageError(f"{text!r} is no parameter", f"{value} is not a finite number", EXAMPLE)
    return key, int(number) if number.is_integer() else number


def described(parameter: Parameter) -> str:
    """A parameter in one line: default, bounds or choices, unit and meaning."""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.choices:
        bounds = f"one of {', '.join(parameter.choices)}"
    else:
        bounds = f"{_number(parameter.minimum)} to {_number(parameter.maximum)}"
    return f"{parameter.name}={_number(parameter.default)}{unit} ({bounds}): {parameter.help}"


def _number(value: Value | None) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _until(fault: Found, now: float) -> str:
    if fault.active is None or fault.expires_at is None:
        return ""
    values = "".join(f" {name}={_number(value)}" for name, value in fault.active.items())
    return f": SET{values}, heals itself in {max(0.0, fault.expires_at - now):.0f} s"


def _say(console: Console, line: str) -> None:
    console.print(line, highlight=False, markup=False, soft_wrap=True)
