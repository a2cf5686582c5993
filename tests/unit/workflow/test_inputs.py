"""What an instance may be started with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.workflow.catalogue import WORKFLOWS
from services.workflow.domain import BadInputError
from services.workflow.inputs import normalise

ORDER = WORKFLOWS["order-to-cash"]


def test_what_is_left_out_takes_its_default() -> None:
    """Whole numbers become floats, texts are trimmed."""
    case = normalise({"score": 700, "destination": " FR "}, ORDER)
    assert set(case) == {field.name for field in ORDER.fields}
    assert (case["score"], case["destination"], case["papers_complete"]) == (700.0, "FR", True)
    assert isinstance(case["score"], float)


@pytest.mark.parametrize(
    ("bad", "named"),
    [
        ({"secret": 1}, "no field 'secret'"),
        ({"score": "700"}, "score must be a number"),
        ({"score": True}, "score must be a number"),
        ({"score": None}, "score must be a number"),
        ({"score": float("nan")}, "finite"),
        ({"score": 1e16}, "finite"),
        ({"score": 10**400}, "finite"),
        ({"papers_complete": 1}, "must be a flag"),
        ({"destination": ""}, "1 to 200"),
        ({"destination": "x" * 201}, "1 to 200"),
        ({"destination": "D\x00E"}, "control"),
        ({"destination": "\ud800"}, "half a character"),
        ({"destination": ["DE"]}, "must be a text"),
    ],
)
def test_what_is_wrong_is_named(bad: dict[str, object], named: str) -> None:
    """The caller learns which field and why."""
    with pytest.raises(BadInputError, match=named):
        normalise(bad, ORDER)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from([field.name for field in ORDER.fields]) | st.text(max_size=3)


@given(st.dictionaries(NAMES, JSON, max_size=4))
def test_anything_is_taken_or_refused(given_input: dict[str, object]) -> None:
    """Never another exception, and what is taken is of the declared kinds."""
    try:
        case = normalise(given_input, ORDER)
    except BadInputError:
        return
    assert all(isinstance(value, float | str | bool) for value in case.values())
