"""A silence as it is asked for."""

import pytest

from console.alerts.silences import current, wanted
from console.sources import Silence
from firedrill.errors import UsageError

LABELS = {"alertname": "A", "system": "shopfds", "instance": "fds:8001"}


def test_chosen_labels_make_the_silence() -> None:
    """Only labels that were chosen and that the alert has; from now for as long as asked."""
    found = wanted(LABELS, ["alertname", "system", "unknown"], lasts="15m", comment=" deploy ", now=100.0)
    assert found.equal == {"alertname": "A", "system": "shopfds"}
    assert (found.starts, found.ends, found.comment) == (100.0, 1000.0, "deploy")


@pytest.mark.parametrize(
    ("names", "lasts", "comment", "says"),
    [
        ([], "15m", "why", "at least one label"),
        (["unknown"], "15m", "why", "at least one label"),
        (["alertname"], "15m", "  ", "write why"),
        (["alertname"], "soon", "why", "not a duration"),
        (["alertname"], "30d", "why", "no length for a silence"),
        (["alertname"], "1ms", "why", "no length for a silence"),
    ],
)
def test_a_silence_that_cannot_be_meant_is_refused(
    names: list[str], lasts: str, comment: str, says: str
) -> None:
    """Nothing is sent that would silence everything, for ever or without a reason."""
    with pytest.raises(UsageError, match=says):
        wanted(LABELS, names, lasts=lasts, comment=comment, now=0.0)


def test_silences_that_are_over_are_not_shown() -> None:
    """The next to end stands first."""

    def one(name: str, state: str, ends: float) -> Silence:
        return Silence(name, state, (), 0.0, ends, "me", "")

    found = current([one("late", "active", 9), one("over", "expired", 1), one("soon", "pending", 5)])
    assert [each.id for each in found] == ["soon", "late"]
