"""Shapes are pure functions of time, and requests leave as they say."""

import itertools
import math
import re
from pathlib import Path

import pytest

from loadtest import wave
from loadtest.arrivals import LATE_SECONDS, NEVER_SECONDS, Gate, arrivals
from loadtest.fds_requests import FRAUD_SHARE, background_stream
from loadtest.kinds import KINDS
from loadtest.run import users_of
from loadtest.shapes import HIGHEST_RATE, SHAPES, STEP_SECONDS, WAVE_SHARE, planned
from loadtest.targets import RefusedTrafficError

PROJECT = Path(__file__).parents[3]


def rates(name: str, *shares: float) -> list[float]:
    """The rate of a shape of 100 s at 100 requests a second, at shares of its time."""
    run = planned(name, seconds=100, rate=100)
    return [run.rate_at(share * 100) for share in shares]


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_stays_within_its_time_and_rate(name: str) -> None:
    """No shape asks for more than its rate (the search: than the bound), or for anything outside its time."""
    run = planned(name, seconds=None, rate=None)
    highest = HIGHEST_RATE if run.shape.search else run.rate
    for second in range(int(run.seconds) + 1):
        assert 0 <= run.rate_at(second) <= highest
        assert 0 < run.fraud_at(second) < 1
    assert run.rate_at(-1) == run.rate_at(run.seconds + 1) == 0


def test_courses() -> None:
    """Steady stays, ramp rises evenly, spike jumps and falls, surge rises, stays and falls."""
    assert rates("steady", 0, 0.5, 1) == [100, 100, 100]
    assert rates("ramp", 0, 0.5, 1) == pytest.approx([10, 55, 100])
    assert rates("spike", 0.39, 0.41, 0.56, 0.58) == pytest.approx([25, 100, 100, 25])
    assert rates("surge", 0.1, 0.5, 0.79, 0.9) == pytest.approx([1.2, 100, 100, 1.2])
    assert rates("soak", 0.1, 0.9) == [100, 100]


def test_fraud_comes_as_a_wave() -> None:
    """For half of the time of fraud-wave every other payment is fraud; in no other shape."""
    run = planned("fraud-wave", seconds=90, rate=10)
    assert [run.fraud_at(second) for second in (10, 45, 80)] == [FRAUD_SHARE, WAVE_SHARE, FRAUD_SHARE]
    assert planned("steady", seconds=90, rate=10).fraud_at(45) == FRAUD_SHARE


def test_in_the_wave_good_customers_look_like_thieves() -> None:
    """Without the wave the payments are what they always were; in it good ones are caught, and stay good."""
    calm = list(itertools.islice(background_stream(7, 0, run="r"), 400))
    same = list(itertools.islice(background_stream(7, 0, run="r", caught=lambda: 0.0), 400))
    assert [case.transaction_id for case in calm] == [case.transaction_id for case in same]
    caught = itertools.islice(background_stream(7, 0, run="r", fraud=lambda: 0.0, caught=lambda: 1.0), 400)
    good = [
        case.request.body for case in caught if case.truth is not None and isinstance(case.request.body, dict)
    ]
    assert {case.truth for case in calm} == {"fraud", "legitimate", None}
    assert sum(body["country"] != "KR" for body in good) > len(good) / 2


def test_the_users_of_a_shape() -> None:
    """Surge is shoppers alone; in fraud-wave payers follow the wave's script; else everybody takes part."""
    assert [kind.name for kind in users_of(SHAPES["surge"])] == ["shopper"]
    assert [kind.script for kind in users_of(SHAPES["fraud-wave"]) if kind.name == "payer"] == [wave.paying]
    assert users_of(SHAPES["steady"]) == list(KINDS)


@pytest.mark.parametrize("name", SHAPES)
def test_the_alerts_of_a_shape_exist(name: str) -> None:
    """What a shape announces is an alert of ours, and stands in one of its two lists only."""
    patterns = ("services/*/alerts.yml", "services/*/slo_rules.yml", "config/platform/alerts.yml")
    files = [file for pattern in patterns for file in PROJECT.glob(pattern)]
    known = set(re.findall(r"- alert: (\w+)", "\n".join(file.read_text("utf-8") for file in files)))
    shape = SHAPES[name]
    assert {*shape.triggers, *shape.may_trigger} <= known
    assert not set(shape.triggers) & set(shape.may_trigger)


@pytest.mark.parametrize(
    ("name", "seconds", "rate", "judged"),
    [
        ("surge", None, None, True),
        ("surge", None, 1000, True),
        ("surge", None, 20, False),
        ("surge", 60, None, False),
        ("steady", None, None, True),
        ("steady", None, 10, True),
        ("steady", None, 1000, False),
    ],
)
def test_only_a_run_of_full_length_and_strength_is_judged(
    name: str, seconds: float | None, rate: float | None, judged: bool
) -> None:
    """A weaker surge need not fire, and a stronger steady rate may."""
    assert planned(name, seconds=seconds, rate=rate).judged is judged


def test_capacity_climbs_in_steps() -> None:
    """From a tenth of the rate, a quarter more each step, each step one rate, cut off at the run's end."""
    run = planned("capacity", seconds=70, rate=200)
    assert [step.rate for step in run.steps] == [20, 25, 31.2, 39.1]
    assert [step.end for step in run.steps] == [20, 40, 60, 70]
    assert run.rate_at(5) == run.rate_at(19.9) == 20
    assert run.rate_at(20.1) == 25
    long = planned("capacity", seconds=40_000, rate=200)
    assert long.steps[-1].rate <= HIGHEST_RATE
    assert long.end == len(long.steps) * STEP_SECONDS < 40_000


@pytest.mark.parametrize(
    ("name", "seconds", "rate", "reason"),
    [
        ("wave", None, None, "one of: steady, ramp, spike, surge, soak, fraud-wave, capacity"),
        ("steady", 1, None, "5 to 43200 for seconds"),
        ("steady", 1e9, None, "5 to 43200 for seconds"),
        ("steady", math.nan, None, "5 to 43200 for seconds"),
        ("steady", None, 0, "1 to 2000 for rate"),
        ("steady", None, math.inf, "1 to 2000 for rate"),
    ],
)
def test_what_cannot_be_run_is_refused(
    name: str, seconds: float | None, rate: float | None, reason: str
) -> None:
    """An unknown shape and numbers out of bounds: three lines that say what to do."""
    with pytest.raises(RefusedTrafficError, match=reason) as refusal:
        planned(name, seconds=seconds, rate=rate)
    assert len(str(refusal.value).splitlines()) == 3


@pytest.mark.parametrize("rate", [0.7, 3, 40, 333])
def test_arrivals_are_even(rate: float) -> None:
    """At one rate as many requests leave as asked, each as long after the one before."""
    due = list(arrivals(lambda second: rate, 20))
    assert len(due) == pytest.approx(20 * rate, abs=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(due)]
    assert all(gap == pytest.approx(1 / rate, abs=1e-6) for gap in gaps)


def test_arrivals_follow_a_changing_rate() -> None:
    """The number of requests is the area below the rate; a rate of nothing sends nothing and ends."""
    due = list(arrivals(lambda second: 10 * second, 10))
    assert len(due) == pytest.approx(500, abs=10)
    assert sum(1 for second in due if second < 5) == pytest.approx(125, abs=7)
    assert list(arrivals(lambda second: 0.0, 5)) == []
    assert next(arrivals(lambda second: 5.0 if second > 4 else 0.0, 5)) > 4


class Clock:
    """Time that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def test_gate_gives_each_user_the_next_place() -> None:
    """Users who ask at once get one place after the other, and none after the end."""
    gate = Gate(lambda second: 10.0, 0.5, clock=Clock())
    assert [gate.wait() for _ in range(4)] == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert gate.wait() == NEVER_SECONDS
    assert (gate.taken, gate.missed) == (4, 0)


def test_gate_gives_up_what_is_too_late() -> None:
    """A user who comes late sends at once; places older than that are missed, not sent in a crowd."""
    clock = Clock()
    gate = Gate(lambda second: 10.0, 10, clock=clock)
    assert gate.wait() == pytest.approx(0.1)
    clock.now += 3.05
    assert gate.wait() == 0
    assert gate.missed == pytest.approx((3.05 - LATE_SECONDS) * 10, abs=1.5)
