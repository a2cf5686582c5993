"""PromQL at demo pace: every range, step and offset, and never a text that only looks like one."""

import contextlib
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firedrill.pace import PromqlError, comparisons, format_duration, longest_range, pace_expression
from firedrill.pace.promql import Comparison, tokenize


@pytest.mark.parametrize(
    ("production", "demo"),
    [
        ("rate(x[5m])", "rate(x[30s])"),
        ("rate(x[1m])", "rate(x[6s])"),
        ("rate(x[45s])", "rate(x[6s])"),
        ("rate(x[5s])", "rate(x[5s])"),
        ("rate(x[1h30m])", "rate(x[9m])"),
        ("max_over_time(rate(x[5m])[1h:5m])", "max_over_time(rate(x[30s])[6m:30s])"),
        ("x[1h:]", "x[6m:]"),
        ("x[ 1h : 5m ]", "x[ 6m : 30s ]"),
        ("x offset 5m", "x offset 30s"),
        ("x OFFSET -5m", "x OFFSET -30s"),
        ("x[5m] offset 1d", "x[30s] offset 2h24m"),
        ("x > 100", "x > 100"),
        ("x > 1e3 and y < .5 or z == 0x1F", "x > 1e3 and y < .5 or z == 0x1F"),
        (
            "sum by (le) (job:x:rate5m{a=~'b', c!=\"d\"}) >= bool 5",
            "sum by (le) (job:x:rate5m{a=~'b', c!=\"d\"}) >= bool 5",
        ),
    ],
)
def test_divides_ranges_steps_and_offsets_and_nothing_else(production: str, demo: str) -> None:
    """Ranges keep four scrapes of 1.5 s; numbers, labels and names stay."""
    assert pace_expression(production, "demo") == demo


@pytest.mark.parametrize(
    "quoted", ['"[5m] offset 5m"', "'[5m] \\' offset 5m'", "`[5m] # offset`", '"# demo_threshold: 3"']
)
def test_a_label_value_is_never_changed(quoted: str) -> None:
    """Whatever it looks like and however it is quoted."""
    assert pace_expression(f"x{{a={quoted}}}[5m]", "demo") == f"x{{a={quoted}}}[30s]"


def test_a_comment_is_never_changed() -> None:
    """It may speak of [5m]."""
    assert pace_expression("x[5m] # over [5m]\n> 1", "demo") == "x[30s] # over [5m]\n> 1"


def test_demo_threshold_replaces_the_number_on_its_line() -> None:
    """Counts over a tenth of the time are compared with what the rule says, and the comment goes."""
    rule = "sum(increase(x[5m]))\n  > 100  # demo_threshold: 10\nand y > 20\n"
    assert pace_expression(rule, "demo") == "sum(increase(x[30s]))\n  > 10\nand y > 20\n"
    assert pace_expression(rule, "production") == rule


def test_demo_range_replaces_the_range_on_its_line() -> None:
    """A day's tenth would still be two hours."""
    assert (
        pace_expression("sum(increase(x[1d])) > 100 # demo_range: 2m", "demo") == "sum(increase(x[2m])) > 100"
    )


def test_demo_threshold_may_be_negative_or_a_comparison_to_bool() -> None:
    """The number still stands after the comparison."""
    assert pace_expression("x > -5 # demo_threshold: 1", "demo") == "x > -1"
    assert pace_expression("x >bool 5 # demo_threshold: 1", "demo") == "x >bool 1"


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("x[5m] @ 1609746000", "no pace"),
        ("x[300]", "written as durations"),
        ("x[5m * 2]", "written as durations"),
        ("x offset 300", "followed by a duration"),
        ("time() - y > 5m", "used as a number"),
        ("x ~ y", "cannot read"),
        ('x{a="b}', "cannot read"),
        ("x > 100 # demo_threshold: 10 as a tenth", "must be written"),
        ("x > 100 # demo_thresold: 10", "is not known"),
        ("x > 100 # demo_threshold: ten", "must be a number"),
        ("x > 100 and y > 5 # demo_threshold: 10", "exactly one number"),
        ("x[5m]\n# demo_threshold: 10", "exactly one number"),
        ("rate(x[5m]) / rate(y[5m]) # demo_range: 2m", "exactly one range"),
        ("rate(x[1d]) # demo_range: soon", "not a Prometheus duration"),
    ],
)
def test_refuses_what_it_does_not_understand(rule: str, reason: str) -> None:
    """Rather than leave a duration at production pace in silence."""
    with pytest.raises(ValueError, match=reason):
        pace_expression(rule, "demo")


TEXTS = ('"[5m]"', "'a\\'b'", "`[`", "# [5m]\n", '{a=~"b"}')
PIECES = st.sampled_from(
    (
        *"x()+, \n",
        *TEXTS,
        "job:y:rate5m",
        "[5m]",
        "[1h:5m]",
        "1e3",
        "0.5",
        " > ",
        " offset 5m",
        " and ",
        " by ",
    )
)


@given(st.lists(PIECES).map("".join))
def test_tokens_joined_give_the_expression_back(expression: str) -> None:
    """Not a character is lost, whatever stands beside what."""
    assert "".join(token.text for token in tokenize(expression)) == expression


@given(st.text(alphabet="x[]5m: (){}\"'`#\n=~<>!1.e-@"))
def test_any_text_is_read_completely_or_refused(text: str) -> None:
    """No other error, and no loss."""
    with contextlib.suppress(PromqlError):
        assert "".join(token.text for token in tokenize(text)) == text


@given(st.integers(min_value=1, max_value=10**10), st.text(alphabet="[]5m:offset "))
def test_only_the_range_changes(milliseconds: int, label: str) -> None:
    """What stands around it, label values included, is the same text."""
    before = f'sum(rate(x{{a="{label}"}}[{format_duration(milliseconds)}])) > 5'
    after = pace_expression(before, "demo")
    pattern = r"\[[0-9a-z]+\]\)\)"
    assert re.split(pattern, before) == re.split(pattern, after)


def test_longest_range() -> None:
    """In milliseconds; subquery steps and offsets do not count."""
    assert longest_range("rate(x[5m]) > rate(x[1h:2h]) offset 1d") == 3_600_000
    assert longest_range("x > 1") == 0


def test_comparisons_say_what_a_rule_asks_for() -> None:
    """One for each side of `and` at the top; comparisons inside parentheses are values."""
    assert comparisons("sum(a) / sum(b > 1) > 0.01\nand sum(b) >= 20 # floor") == [
        Comparison("sum(a) / sum(b > 1)", ">", "0.01"),
        Comparison("sum(b)", ">=", "20"),
    ]


@pytest.mark.parametrize("rule", ["a > 1 or b > 1", "a > 1 unless b", "absent(x)", "a > 1 and on (x) b > 1"])
def test_comparisons_of_another_form_are_not_guessed(rule: str) -> None:
    """Only a plain conjunction is taken apart."""
    assert comparisons(rule) == []
