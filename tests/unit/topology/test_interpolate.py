"""Variables in docker-compose.yml."""

import pytest

from firedrill.topology.interpolate import BadVariableError, first_variable, interpolate

VARIABLES = {"A": "1", "EMPTY": ""}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$A-${A}", "1-1"),
        ("${EMPTY:-x}", "x"),
        ("${EMPTY-x}", ""),
        ("${NONE-x}", "x"),
        ("${NONE:-${A}2}", "12"),
        ("${A:+yes}", "yes"),
        ("${EMPTY:+yes}", ""),
        ("${A:?must be}", "1"),
        ("$$A and $${B}", "$A and ${B}"),
        ("nothing", "nothing"),
    ],
)
def test_expressions_are_composes_own(text: str, value: str) -> None:
    """Every form that compose has gives what compose gives."""
    assert interpolate(text, VARIABLES) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("${NONE}", "NONE is not set"),
        ("${EMPTY:?give one}", "give one"),
        ("${A", "without its }"),
        ("5$", "write \\$\\$"),
        ("${A!x}", "operator"),
        ("${-x}", "variable's name"),
    ],
)
def test_what_cannot_be_read_is_said(text: str, says: str) -> None:
    """A missing value and a broken expression are errors with the reason, never an empty text."""
    with pytest.raises(BadVariableError, match=says):
        interpolate(text, VARIABLES)


def test_the_variable_that_moves_a_port_is_found() -> None:
    """Messages can name the setting; an escaped dollar is none."""
    assert first_variable("127.0.0.1:${FDS_PORT:-8001}:8001") == "FDS_PORT"
    assert first_variable("$$HOME") is None
