"""Queries with time and variables filled in; windows that viewers share."""

import re

import pytest

from console.boards.asking import MOST_POINTS, choice, fill, window


def test_two_viewers_within_a_step_ask_for_the_same() -> None:
    """The window is aligned to its step."""
    first, second = (window(1800, now=now, scrape=1.5) for now in (10_002.0, 10_010.5))
    assert first == second
    assert first.end % first.step == 0
    assert first.end <= 10_002.0


@pytest.mark.parametrize("span", [60.0, 300.0, 1800.0, 21_600.0, 86_400.0, 30 * 86_400.0])
@pytest.mark.parametrize("scrape", [1.5, 15.0])
def test_points_and_rates_fit_any_time(span: float, scrape: float) -> None:
    """Not more points than can be seen, and a rate window that holds scrapes."""
    shown = window(span, now=1_800_000_000.0, scrape=scrape)
    assert len(shown.moments()) <= MOST_POINTS + 1
    assert shown.span == pytest.approx(span, rel=0.05)
    assert shown.rate >= 4 * scrape
    assert shown.rate >= shown.step + scrape


def test_macros_and_variables_are_filled_in() -> None:
    """Both ways to write a variable; an unknown one stays, so that the backend names it."""
    shown = window(1800, now=10_000.0, scrape=15.0)
    chosen = {"instance": ".+", "tenant": "a|b"}
    found = fill('x{i=~"$instance",t=~"${tenant:regex}"}[$__rate_interval] $__range $other', shown, chosen)
    assert found == f'x{{i=~".+",t=~"a|b"}}[{shown.rate:.0f}s] {shown.span:.0f}s $other'


@pytest.mark.parametrize("value", ["fds", "a.b", 'say "x"', "back\\slash", "a|b", "${__range}"])
def test_a_chosen_value_is_that_value_and_no_pattern(value: str) -> None:
    """As a string of PromQL it is a regular expression for exactly this value."""
    text = choice([value], ".+")
    pattern = re.sub(r"\\(.)", r"\1", text)  # as PromQL reads its string
    assert re.fullmatch(pattern, value)
    assert not re.fullmatch(pattern, value + "x")


def test_nothing_chosen_is_everything() -> None:
    """The board's own word for all."""
    assert choice([], ".*") == ".*"
    assert choice(["a", "b"], ".*") == "a|b"
