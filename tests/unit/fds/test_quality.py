"""Precision, recall and F1 over the last cases."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.fds.quality import OUTCOMES, Measures, Outcome, QualityWindow, outcome_of


def fed(*outcomes: Outcome) -> Measures:
    """The measures after `outcomes`."""
    window = QualityWindow()
    for outcome in outcomes:
        window.add(outcome)
    return window.measures()


@pytest.mark.parametrize(
    ("decision", "label", "outcome"),
    [
        ("hold", "fraud", "true_positive"),
        ("block", "fraud", "true_positive"),
        ("hold", "legitimate", "false_positive"),
        ("block", "legitimate", "false_positive"),
        ("approve", "legitimate", "true_negative"),
        ("auth", "legitimate", "true_negative"),
        ("approve", "fraud", "false_negative"),
        ("auth", "fraud", "false_negative"),
    ],
)
def test_positive_is_a_payment_that_was_stopped(decision: str, label: str, outcome: str) -> None:
    """Hold and block stop; auth lets through who can show who they are."""
    assert outcome_of(decision, label) == outcome  # type: ignore[arg-type]  # the parameters are literals


def test_below_fifty_cases_there_is_no_measure() -> None:
    """Absent, not 0: an alert must not look at chance."""
    assert fed(*["true_positive"] * 49) == Measures(None, None, None)
    assert fed(*["true_positive"] * 50) == Measures(1.0, 1.0, 1.0)


def test_precision_and_recall_have_windows_of_their_own() -> None:
    """Legitimate payments that were stopped say nothing about recall, so it stays absent, and F1 with it."""
    assert fed(*["true_positive"] * 40, *["false_positive"] * 10) == Measures(0.8, None, None)
    assert fed(*["true_positive"] * 30, *["false_negative"] * 30) == Measures(None, 0.5, None)


def test_only_the_last_two_hundred_count() -> None:
    """Old mistakes are forgotten, and true negatives push nothing out."""
    assert fed(*["false_positive"] * 200, *["true_positive"] * 200).precision == 1.0
    assert fed(*["false_positive"] * 50, *["true_negative"] * 1000).precision == 0.0


def test_f1_is_the_harmonic_mean_and_zero_when_all_is_wrong() -> None:
    """No division by zero."""
    measures = fed(*["true_positive"] * 60, *["false_positive"] * 20, *["false_negative"] * 40)
    assert measures == Measures(0.75, 0.6, pytest.approx(2 * 0.75 * 0.6 / 1.35))
    assert fed(*["false_positive"] * 50, *["false_negative"] * 50) == Measures(0.0, 0.0, 0.0)


@given(st.lists(st.sampled_from(OUTCOMES), max_size=700))
def test_a_restart_changes_nothing(outcomes: list[Outcome]) -> None:
    """The kept last 200 of each kind give the measures that there were before."""
    stopped = [o for o in outcomes if o in ("true_positive", "false_positive")][-200:]
    fraud = [o for o in outcomes if o in ("true_positive", "false_negative")][-200:]
    assert QualityWindow().restore(stopped, fraud) == fed(*outcomes)
