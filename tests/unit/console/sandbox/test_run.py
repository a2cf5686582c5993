"""A run's course: calm, fault, page, answers, action, end; each move in its phase and no other."""

from dataclasses import replace

import pytest

from console.sandbox import moves, watching
from console.sandbox.chosen import plan
from console.sandbox.model import Incident
from console.sandbox.run import Alert, Message, NotNowError, Run, Seen, UnknownError, begin
from firedrill.untold import Told

STRANGER = Alert("TargetDown", "firing", {"severity": "critical"})
WATCHDOG = Alert("Watchdog", "firing", {"severity": "none"})


def page(at: float, *, alert: str = "SlowThing", status: str = "firing") -> Message:
    """A notice in the inbox."""
    return Message(alert, status, at, "slack", "alerts", f"[{status}] {alert}", "It is slow.", {})


def begun(incident: Incident, *, slowness: float = 1.0) -> Run:
    """At 100."""
    return begin("r1", incident, plan(incident, 7), now=100.0, slowness=slowness)


def broken(incident: Incident) -> Run:
    """Calm at 101, the fault went in at 110."""
    return watching.faulted(watching.observe(begun(incident), Seen(101.0)), 110.0)


def paged(incident: Incident) -> Run:
    """The page came at 140."""
    return watching.observe(broken(incident), Seen(141.0, messages=[page(140.0)], broken=True))


def mended(incident: Incident) -> Run:
    """By the right action, at 200."""
    run = paged(incident)
    return moves.done(run, moves.deed_of(run, "spare", 200.0))


def test_it_waits_for_calm(incident: Incident) -> None:
    """Not while an alert fires; Watchdog, which always does, does not count."""
    run = watching.observe(begun(incident), Seen(101.0, [STRANGER, WATCHDOG]))
    assert run.phase == "settling"
    assert watching.observe(run, Seen(102.0, [WATCHDOG])).phase == "quiet"


def test_a_strange_pending_alert_is_calm_enough_and_an_own_one_is_not(incident: Incident) -> None:
    """What may be taken for the page must be gone altogether."""
    run = begun(incident)
    assert watching.observe(run, Seen(101.0, [replace(STRANGER, state="pending")])).phase == "quiet"
    own = Alert("SlowThing", "pending", {"severity": "warning"})
    assert watching.observe(run, Seen(101.0, [own])).phase == "settling"


def test_what_cannot_be_seen_is_not_calm(incident: Incident) -> None:
    """A Prometheus that does not answer ends the run after a while, and says so."""
    run = watching.observe(begun(incident), Seen(101.0, None))
    assert run.phase == "settling"
    over = watching.observe(run, Seen(100.0 + 301.0, None))
    assert (over.outcome, "Prometheus does not answer" in over.why) == ("void", True)


def test_a_stranger_that_stays_is_named_and_waited_for_no_longer(incident: Incident) -> None:
    """A minute and a half at demo pace, ten times that at production pace."""
    run = watching.observe(begun(incident), Seen(189.0, [STRANGER]))
    assert run.phase == "settling"
    run = watching.observe(run, Seen(191.0, [STRANGER]))
    assert run.phase == "quiet"
    assert "TargetDown" in run.events[-1].text
    assert watching.observe(begun(incident, slowness=10.0), Seen(191.0, [STRANGER])).phase == "settling"


def test_an_own_alert_that_stays_ends_it(incident: Incident) -> None:
    """Then nothing is scored, and the alert is named."""
    own = Alert("SlowThing", "firing", {"severity": "warning"})
    assert watching.observe(begun(incident), Seen(399.0, [own])).phase == "settling"
    over = watching.observe(begun(incident), Seen(401.0, [own]))
    assert (over.outcome, "SlowThing" in over.why) == ("void", True)


def test_an_own_alert_before_the_fault_is_waited_out(incident: Incident) -> None:
    """It is somebody else's; a strange one is not looked at any more."""
    run = watching.observe(begun(incident), Seen(101.0))
    assert watching.observe(run, Seen(102.0, [STRANGER])).phase == "quiet"
    run = watching.observe(run, Seen(102.0, [Alert("SlowThing", "pending", {"severity": "warning"})]))
    assert (run.phase, watching.due(run, 200.0)) == ("settling", False)
    run = watching.observe(run, Seen(130.0))
    assert run.breaks_at == 130.0 + run.plan.quiet


def test_an_own_alert_that_fired_must_have_been_told_off(incident: Incident) -> None:
    """Were it to fire again before Alertmanager has told its end, no new page would come."""
    own = Alert("SlowThing", "firing", {"severity": "warning"})
    untold = (Told("SlowThing", {}, "firing", 90.0),)
    run = watching.observe(begun(incident), Seen(105.0, [own], untold=untold))
    run = watching.observe(run, Seen(110.0, untold=untold))
    assert run.phase == "settling"
    assert watching.observe(run, Seen(111.0)).phase == "quiet"


def test_an_end_that_stays_away_is_told_once_and_then_given_up(incident: Incident) -> None:
    """Counted from when the alert itself is gone; ten times as long at production pace."""
    untold = (Told("SlowThing", {}, "firing", 90.0),)
    own = Alert("SlowThing", "firing", {"severity": "warning"})
    run = begun(incident)
    tells = []
    for now in range(101, 170):
        alerts = [own] if now < 120 else []
        seen = watching.observe(run, Seen(float(now), alerts, untold=untold))
        tells += [now] if watching.untold_now(run, seen) else []
        run = seen
        if run.phase == "quiet":
            break
    assert tells == [156]
    assert run.calm_at == 167.0
    slow = watching.observe(begun(incident, slowness=10.0), Seen(101.0, untold=untold))
    assert watching.observe(slow, Seen(400.0, untold=untold)).telling.asked is None


def test_no_end_is_told_of_what_cannot_be_seen(incident: Incident) -> None:
    """The alert may well fire while Prometheus does not answer."""
    untold = (Told("SlowThing", {}, "firing", 90.0),)
    run = watching.observe(begun(incident), Seen(101.0, untold=untold))
    run = watching.observe(run, Seen(200.0, None, untold=untold))
    assert run.telling.asked is None


def test_the_fault_is_due_at_the_seeds_moment(incident: Incident) -> None:
    """Not before; not twice; and not told: the phase stays quiet until the page."""
    run = watching.observe(begun(incident), Seen(101.0))
    quiet = run.plan.quiet
    assert not watching.due(run, 101.0 + quiet - 0.1)
    assert watching.due(run, 101.0 + quiet)
    run = watching.faulted(run, 101.0 + quiet)
    assert not watching.due(run, 200.0)
    assert run.phase == "quiet"


def test_the_page_is_the_first_firing_notice_after_the_fault(incident: Incident) -> None:
    """An older one, another alert's, and a resolved one are not it."""
    run = broken(incident)
    wrong = [page(109.0), page(120.0, alert="Other"), page(121.0, status="resolved")]
    assert watching.observe(run, Seen(125.0, messages=wrong, broken=True)).phase == "quiet"
    run = watching.observe(run, Seen(150.0, messages=[page(141.0), page(140.0), *wrong], broken=True))
    assert (run.phase, run.paged_at) == ("open", 140.0)


def test_without_a_page_in_time_nothing_is_scored(incident: Incident) -> None:
    """At production pace everything takes ten times as long."""
    assert watching.observe(broken(incident), Seen(171.0, broken=True)).outcome == "void"
    slow = watching.faulted(watching.observe(begun(incident, slowness=10.0), Seen(101.0)), 110.0)
    assert watching.observe(slow, Seen(171.0, broken=True)).phase == "quiet"
    assert watching.observe(slow, Seen(711.0, broken=True)).outcome == "void"


def test_a_fault_that_somebody_heals_before_the_page_counts_for_nothing(incident: Incident) -> None:
    """The run says why."""
    over = watching.observe(broken(incident), Seen(120.0, broken=False))
    assert (over.outcome, "healed by somebody" in over.why) == ("void", True)


def test_nothing_can_be_done_before_the_page(incident: Incident) -> None:
    """Neither answers nor hints nor actions."""
    run = broken(incident)
    for move in (
        lambda: moves.acknowledge(run, 111.0),
        lambda: moves.answer_choice(run, "where", "feed", 111.0),
        lambda: moves.answer_since(run, 110.0, 111.0),
        lambda: moves.take_hint(run, 111.0),
        lambda: moves.deed_of(run, "spare", 111.0),
    ):
        with pytest.raises(NotNowError, match="no page yet"):
            move()


def test_answers_have_two_attempts(incident: Incident) -> None:
    """The second is worth half; a right one closes the question; the same wrong one is not taken twice."""
    run, first = moves.answer_choice(paged(incident), "where", "redis", 150.0)
    assert (first.right, first.worth, run.is_open("where")) == (False, 0.0, True)
    with pytest.raises(NotNowError, match="wrong the first time"):
        moves.answer_choice(run, "where", "redis", 151.0)
    run, second = moves.answer_choice(run, "where", "feed", 152.0)
    assert (second.right, second.worth, run.is_open("where")) == (True, 0.5, False)
    with pytest.raises(NotNowError, match="is answered"):
        moves.answer_choice(run, "where", "model", 153.0)
    assert run.diagnosed_at is None
    run, _ = moves.answer_choice(run, "cause", "slow", 160.0)
    assert run.diagnosed_at == 160.0


def test_since_has_a_tolerance(incident: Incident) -> None:
    """Within it all, within twice it half, beyond it nothing; early and late alike."""
    for moment, right, worth in (
        (110.0, True, 1.0), (90.0, True, 1.0), (130.0, True, 1.0), (149.0, False, 0.5), (60.0, False, 0.0),
    ):  # fmt: skip
        _, attempt = moves.answer_since(paged(incident), moment, 200.0)
        assert (attempt.right, attempt.worth) == (right, worth), moment


def test_a_moment_to_come_is_refused(incident: Incident) -> None:
    """It is a mistake, and costs no attempt."""
    with pytest.raises(UnknownError, match="still to come"):
        moves.answer_since(paged(incident), 300.0, 200.0)


def test_unknown_names_are_refused_with_what_there_is(incident: Incident) -> None:
    """Question, choice and action."""
    run = paged(incident)
    with pytest.raises(UnknownError, match="where, cause"):
        moves.answer_choice(run, "why", "feed", 150.0)
    with pytest.raises(UnknownError, match="feed, model, redis"):
        moves.answer_choice(run, "where", "moon", 150.0)
    with pytest.raises(UnknownError, match="acknowledge"):
        moves.deed_of(run, "pray", 150.0)


def test_whoever_answers_has_seen_the_page(incident: Incident) -> None:
    """Taking it comes first, but nobody must; the first of both counts."""
    run, _ = moves.answer_choice(paged(incident), "where", "feed", 150.0)
    assert run.seen_at == 150.0
    assert moves.acknowledge(run, 170.0).seen_at == 150.0


def test_a_wrong_action_does_not_heal(incident: Incident) -> None:
    """It may be taken once."""
    run = paged(incident)
    run = moves.done(run, moves.deed_of(run, "restart", 160.0))
    assert (run.phase, run.healed_at) == ("open", None)
    with pytest.raises(NotNowError, match="did that already"):
        moves.deed_of(run, "restart", 161.0)


def test_the_right_action_heals_and_the_notice_ends_it(incident: Incident) -> None:
    """RESOLVED of the alert that paged, after the heal; then open questions may still be answered."""
    run = mended(incident)
    assert (run.phase, run.wants_fault, run.healed_by) == ("clearing", False, "spare")
    with pytest.raises(NotNowError, match="mended already"):
        moves.deed_of(run, "wait", 201.0)
    early = Seen(205.0, messages=[page(150.0, status="resolved")])
    assert watching.observe(run, early).phase == "clearing"
    run = watching.observe(run, Seen(231.0, messages=[page(230.0, status="resolved")]))
    assert (run.phase, run.cleared_at) == ("answers", 230.0)
    assert moves.end(run, 240.0).outcome == "solved"


def test_with_all_answered_it_ends_by_itself(incident: Incident) -> None:
    """As soon as the alert has cleared."""
    run = mended(incident)
    run, _ = moves.answer_choice(run, "where", "feed", 201.0)
    run, _ = moves.answer_choice(run, "cause", "slow", 202.0)
    run, _ = moves.answer_since(run, 110.0, 203.0)
    run = watching.observe(run, Seen(231.0, messages=[page(230.0, status="resolved")]))
    assert (run.phase, run.outcome) == ("over", "solved")


def test_an_alert_that_does_not_clear_is_not_the_trainees_fault(incident: Incident) -> None:
    """It is solved all the same."""
    run = watching.observe(mended(incident), Seen(321.0))
    assert (run.outcome, run.cleared_at, "not your fault" in run.why) == ("solved", None, True)


def test_healing_by_hand_is_seen(incident: Incident) -> None:
    """From a terminal, or by the page of faults."""
    run = watching.observe(paged(incident), Seen(180.0, broken=False))
    assert (run.phase, run.healed_by, run.healed_at) == ("clearing", "by hand", 180.0)


def test_what_cannot_be_told_is_not_healed(incident: Incident) -> None:
    """A service that does not answer for a moment heals nothing."""
    assert watching.observe(paged(incident), Seen(180.0, broken=None)).phase == "open"


def test_time_runs_out(incident: Incident) -> None:
    """Ten minutes after the page."""
    assert watching.observe(paged(incident), Seen(739.0, broken=True)).phase == "open"
    over = watching.observe(paged(incident), Seen(741.0, broken=True))
    assert (over.outcome, over.wants_fault) == ("too late", False)


def test_giving_up_ends_it(incident: Incident) -> None:
    """Once; in any phase."""
    over = moves.end(broken(incident), 120.0)
    assert over.outcome == "gave up"
    with pytest.raises(NotNowError, match="over already"):
        moves.end(over, 121.0)


def test_hints_come_in_order_until_there_is_none(incident: Incident) -> None:
    """Two of them."""
    run = moves.take_hint(moves.take_hint(paged(incident), 150.0), 151.0)
    assert run.hints == 2
    with pytest.raises(NotNowError, match="no further hint"):
        moves.take_hint(run, 152.0)


def test_the_log_gives_nothing_away(incident: Incident) -> None:
    """No event before the end names the fault, its service or its moment."""
    run = mended(incident)
    told = " ".join(event.text for event in run.events)
    assert "cti" not in told
    assert 110.0 not in [event.at for event in run.events]


def test_the_fault_outlives_every_wait_but_not_for_long(incident: Incident) -> None:
    """Its time to live covers page and solution, at either pace, within what the switch allows."""
    assert begun(incident).ttl_seconds == 60 + 600 + 30
    assert begun(incident, slowness=10.0).ttl_seconds == 600 + 600 + 30
