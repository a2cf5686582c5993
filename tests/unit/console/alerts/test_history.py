"""When alerts were pending and firing."""

from console.alerts.history import history
from firedrill.clients import Series


def series(state: str, *times: float, name: str = "A", **labels: str) -> Series:
    """ALERTS of one alert in one state."""
    own = {"__name__": "ALERTS", "alertname": name, "alertstate": state, "severity": "warning", **labels}
    return Series(own, tuple((at, 1.0) for at in times))


def test_points_without_a_gap_are_one_stretch() -> None:
    """A gap of more than a step and a half ends it; each lasts until the next point would have come."""
    found = history([series("firing", 100, 110, 120, 200, 210)], start=0, end=1000, step=10)
    assert [(one.began, one.ended, one.open) for one in found[0].stretches] == [
        (100, 130, False), (200, 220, False),
    ]  # fmt: skip
    assert (found[0].fired, found[0].seconds) == (2, 50)


def test_what_still_fires_reaches_the_end() -> None:
    """The last stretch is open when it reaches the range's end."""
    found = history([series("firing", 980, 990, 1000)], start=0, end=1000, step=10)
    assert (found[0].stretches[0].ended, found[0].stretches[0].open) == (1000, True)
    assert found[0].stretches[0].left + found[0].stretches[0].width <= 100


def test_pending_and_firing_of_one_alert_are_one_line() -> None:
    """Alerts of one name with other labels are others; the Watchdog never asks for attention."""
    found = history(
        [series("pending", 10, 20), series("firing", 30), series("firing", 500, slo="fds")],
        start=0, end=1000, step=10,
    )  # fmt: skip
    assert [[one.state for one in line.stretches] for line in found] == [["firing"], ["pending", "firing"]]
    assert found[0].labels == (("slo", "fds"),)
    assert found[0].place == "slo fds"


def test_a_short_one_stays_visible() -> None:
    """What fired for seconds can be seen in a day."""
    found = history([series("firing", 100)], start=0, end=86_400, step=1)
    assert found[0].stretches[0].width >= 0.3
