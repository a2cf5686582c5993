"""Circuit breakers: when they open, what they let through, and that every change is told once."""

from dataclasses import dataclass, field

from services.workflow.breaker import Breaker, Limits
from services.workflow.domain import BreakerMoved, BreakerState
from tests.unit.workflow.fakes import Clock


@dataclass
class Rig:
    """A breaker with its clock, and all that it told."""

    clock: Clock = field(default_factory=Clock)
    told: list[BreakerMoved] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.breaker = Breaker("node", Limits(), clock=self.clock, moved=self.told.append)

    def attempt(self, *, fails: bool) -> bool:
        """Make an attempt; whether it was let through."""
        ticket = self.breaker.admit()
        if ticket is None:
            return False
        if fails:
            self.breaker.failed(ticket, "broken")
        else:
            self.breaker.succeeded(ticket)
        return True

    def open(self) -> None:
        """Fail until it opens."""
        for _ in range(5):
            self.attempt(fails=True)
        assert self.breaker.state is BreakerState.OPEN

    @property
    def moves(self) -> list[tuple[str, str]]:
        """The changes so far."""
        return [(str(one.before), str(one.after)) for one in self.told]


def test_five_failures_in_a_row_open_it() -> None:
    """Four do not, and a success begins the count anew."""
    rig = Rig()
    for fails in (True, True, True, True, False, True, True, True, True):
        assert rig.attempt(fails=fails)
    assert rig.moves == []
    rig.attempt(fails=True)
    assert rig.moves == [("closed", "open")]
    assert rig.told[0].reason == "5 failures in a row, last: broken"
    assert not rig.attempt(fails=False)


def test_a_peer_that_fails_every_other_time_opens_it_by_its_ratio() -> None:
    """Never five in a row, and still useless."""
    rig = Rig()
    for number in range(10):
        rig.attempt(fails=number % 2 == 1)
    assert rig.moves == [("closed", "open")]
    assert "50% of 10 attempts" in rig.told[0].reason


def test_after_the_cool_down_one_trial_decides() -> None:
    """While it is under way nobody else is let through; its success closes the breaker."""
    rig = Rig()
    rig.open()
    rig.clock.seconds = 10
    trial = rig.breaker.admit()
    assert trial is not None
    assert rig.breaker.admit() is None
    rig.breaker.succeeded(trial)
    assert rig.moves == [("closed", "open"), ("open", "half_open"), ("half_open", "closed")]
    assert rig.attempt(fails=True)


def test_a_failed_trial_opens_it_for_another_cool_down() -> None:
    """And the cool-down begins anew."""
    rig = Rig()
    rig.open()
    rig.clock.seconds = 10
    rig.attempt(fails=True)
    assert rig.moves[-1] == ("half_open", "open")
    rig.clock.seconds = 19
    assert not rig.attempt(fails=False)
    rig.clock.seconds = 20
    assert rig.attempt(fails=False)


def test_an_abandoned_trial_leaves_the_next_one_its_turn() -> None:
    """A process that stops amid the trial must not block the node for ever."""
    rig = Rig()
    rig.open()
    rig.clock.seconds = 10
    trial = rig.breaker.admit()
    assert trial is not None
    rig.breaker.abandoned(trial)
    assert rig.attempt(fails=False)
    assert rig.breaker.state is BreakerState.CLOSED


def test_late_news_of_an_earlier_state_change_nothing() -> None:
    """An attempt from before the breaker opened is neither the trial nor a reason to open again."""
    rig = Rig()
    early, failing = rig.breaker.admit(), rig.breaker.admit()
    assert early is not None
    assert failing is not None
    rig.open()
    rig.clock.seconds = 10
    trial = rig.breaker.admit()
    rig.breaker.succeeded(early)
    rig.breaker.failed(failing, "late")
    rig.breaker.abandoned(early)
    assert rig.breaker.state is BreakerState.HALF_OPEN
    assert rig.breaker.admit() is None
    assert trial is not None


def test_tripping_holds_it_open_and_is_told_once() -> None:
    """Each trip begins the cool-down anew, but is no change."""
    rig = Rig()
    for seconds in (0, 9, 18):
        rig.clock.seconds = seconds
        rig.breaker.trip("by hand")
        assert rig.breaker.admit() is None
    assert rig.moves == [("closed", "open")]
    rig.clock.seconds = 28
    assert rig.attempt(fails=False)
    assert rig.breaker.state is BreakerState.CLOSED
