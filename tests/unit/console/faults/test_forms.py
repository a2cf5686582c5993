"""A fault's form: fields with their bounds, and what is typed checked before it is sent."""

import pytest

from console.faults.forms import asked, checked_ttl, rows
from firedrill.errors import UsageError
from firedrill.fault.client import Found, Parameter, Value

PARAMETERS = (
    Parameter("rate", 0.5, 0.0, 1.0, "share", (), "of requests"),
    Parameter("milliseconds", 150, 1, 5000, "ms", (), "longer"),
    Parameter("mode", "slow", None, None, "", ("slow", "gone"), "how"),
)


def fault(
    *, active: dict[str, Value] | None = None, expires_at: float | None = None, name: str = "slow"
) -> Found:
    """A fault of fds."""
    return Found("fds", name, "Answers late", PARAMETERS, active, expires_at)


def test_fields_begin_with_their_defaults_and_say_their_bounds() -> None:
    """What may be typed stands beside the field."""
    fields = rows([fault()], now=0)[0].fields
    assert [(one.name, one.value, one.bounds, one.unit) for one in fields] == [
        ("rate", "0.5", "0 to 1", "share"), ("milliseconds", "150", "1 to 5000", "ms"),
        ("mode", "slow", "one of slow, gone", ""),
    ]  # fmt: skip


def test_what_is_in_stands_first_with_what_is_left_of_its_time() -> None:
    """A fault whose time is over is not in, even if the answer is old."""
    found = rows(
        [
            fault(name="a"),
            fault(active={"rate": 0.2}, expires_at=130, name="b"),
            fault(active={}, expires_at=90, name="c"),
        ],
        now=100,
    )
    assert [(row.name, row.left, row.values) for row in found] == [
        ("b", 30, "rate 0.2"), ("a", None, ""), ("c", None, ""),
    ]  # fmt: skip
    assert found[0].fields[0].value == "0.2"


def test_what_is_typed_becomes_values_of_the_declared_types() -> None:
    """Whole numbers stay whole; what the fault does not know is left out."""
    found = asked(fault(), {"rate": "1", "milliseconds": "20", "mode": "gone", "other": "1"})
    assert found == {"rate": 1.0, "milliseconds": 20, "mode": "gone"}
    assert isinstance(found["milliseconds"], int)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ({"rate": "much"}, "rate must be a number"),
        ({"rate": "nan"}, "rate must be a number"),
        ({"rate": "1.5"}, "rate must be 0 to 1 share"),
        ({"milliseconds": "2.5"}, "whole number"),
        ({"milliseconds": "0"}, "milliseconds must be 1 to 5000 ms"),
        ({"mode": "loud"}, "one of slow, gone"),
    ],
)
def test_what_is_out_of_bounds_is_refused_by_name(typed: dict[str, str], says: str) -> None:
    """The message names the field and what it takes."""
    with pytest.raises(UsageError, match=says):
        asked(fault(), typed)


@pytest.mark.parametrize("text", ["", "soon", "0", "3601", "nan", "-5"])
def test_a_time_that_no_fault_may_stay_in_is_refused(text: str) -> None:
    """A forgotten fault ends by itself within the hour."""
    with pytest.raises(UsageError, match=r"no time|not allowed"):
        checked_ttl(text)


def test_a_time_within_bounds_is_taken() -> None:
    """In seconds."""
    assert checked_ttl("90") == 90.0
