"""What a declaration allows: its bounds, and nothing but its bounds."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from faults import BadParameterError, Fault, Parameter
from faults.declared import checked_ttl

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(JSON)
def test_number_is_accepted_exactly_within_its_bounds(value: object) -> None:
    """A finite number from 0 to 1 passes and comes out as a float; everything else is refused."""
    parameter = Parameter("share", 0.5, 0, 1)
    inside = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
    if inside:
        result = parameter.checked(value)
        assert isinstance(result, float)
        assert result == value
    else:
        with pytest.raises(BadParameterError):
            parameter.checked(value)


@given(JSON | st.integers(-5, 15))
def test_whole_number_is_accepted_exactly_within_its_bounds(value: object) -> None:
    """An int parameter takes ints of its range only: no truth values, no fractions."""
    parameter = Parameter("count", 3, 1, 9)
    if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 9:
        assert parameter.checked(value) == value
    else:
        with pytest.raises(BadParameterError):
            parameter.checked(value)


@given(st.integers() | st.floats())
def test_unbounded_number_is_still_finite(value: float) -> None:
    """Without bounds every number passes that a float can hold, and NaN and infinity never do."""
    parameter = Parameter("any", 0.0)
    try:
        finite = math.isfinite(value)
    except OverflowError:
        finite = False
    if finite:
        assert parameter.checked(value) == float(value)
    else:
        with pytest.raises(BadParameterError):
            parameter.checked(value)


@given(st.text(max_size=300))
def test_text_is_short_and_printable(value: str) -> None:
    """A text passes unchanged or is refused."""
    parameter = Parameter("model", "any")
    if len(value) <= 200 and value.isprintable():
        assert parameter.checked(value) == value
    else:
        with pytest.raises(BadParameterError):
            parameter.checked(value)


@given(JSON)
def test_time_to_live_is_one_second_to_one_hour(value: object) -> None:
    """A time to live outside 1 to 3600 seconds is refused, and so is what is no number."""
    inside = isinstance(value, int | float) and not isinstance(value, bool) and 1 <= value <= 3600
    if inside:
        assert checked_ttl(value) == value
    else:
        with pytest.raises(BadParameterError):
            checked_ttl(value)


def test_unknown_parameter_is_refused_with_what_there_is() -> None:
    """A misspelt parameter is not silently ignored; the text lists the right ones."""
    fault = Fault("slow", "", (Parameter("ms", 1.0), Parameter("share", 1.0)))
    with pytest.raises(BadParameterError, match="ms, share"):
        fault.checked({"msec": 3})


@pytest.mark.parametrize("name", ["", "a b", "../x", "A", "ä"])
def test_fault_names_fit_a_url_and_a_label(name: str) -> None:
    """A name that would need quoting is refused at declaration."""
    with pytest.raises(ValueError, match="fault name"):
        Fault(name, "")


def test_default_must_be_allowed() -> None:
    """A default outside its own bounds is refused at declaration, and so is a parameter given twice."""
    with pytest.raises(BadParameterError):
        Parameter("share", 2.0, 0, 1)
    with pytest.raises(ValueError, match="twice"):
        Fault("slow", "", (Parameter("ms", 1.0), Parameter("ms", 2.0)))


def test_a_text_with_choices_takes_nothing_else() -> None:
    """A name that nobody has is refused with those that exist, also as the default of a declaration."""
    parameter = Parameter("node_id", "all", choices=("all", "credit-check"))
    assert parameter.checked("credit-check") == "credit-check"
    with pytest.raises(BadParameterError, match="one of: all, credit-check"):
        parameter.checked("credit-chek")
    with pytest.raises(BadParameterError):
        Parameter("node_id", "none", choices=("all",))
