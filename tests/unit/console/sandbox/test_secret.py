"""What a running incident has set is not shown elsewhere in the console."""

from collections.abc import Iterator

import pytest

from console.sandbox.secret import CURRENT, hidden, is_hidden


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """What a test hides is no secret to the next."""
    yield
    CURRENT.hide(())


def test_nothing_is_secret_without_an_incident() -> None:
    """Faults by hand and of drills are shown."""
    assert hidden() == frozenset()
    assert not is_hidden("fds", "cti_slow")


def test_the_faults_of_the_incident_are() -> None:
    """Those of its service alone, until something else is hidden."""
    CURRENT.hide(["fds/cti_slow"])
    assert is_hidden("fds", "cti_slow")
    assert not is_hidden("ecommerce", "cti_slow")
    CURRENT.hide(["ml/drift"])
    assert hidden() == {"ml/drift"}
