"""What TraceQL expressions refer to is read, and what nothing declares is said."""

import pytest

from firedrill.dashboards.expressions import ExpressionError
from firedrill.dashboards.traceql import Traces, check_traceql, traceql

KNOWN = Traces({"fds", "ml"}, {"fds.evaluate"}, {"decision"}, {"service.name"})


def test_references_are_found_and_nothing_else() -> None:
    """Attributes with their scope; names and services as far as they are compared with a text."""
    read = traceql(
        '{ resource.service.name = "fds" && name =~ "a|b" && span.decision = "hold" && duration > 100ms } '
        ">> { kind = server && status = error } | count() > 3 | select(span.score)"
    )
    assert read.attributes == {"resource.service.name", "span.decision", "span.score"}
    assert read.names == {"a", "b"}
    assert read.services == {"fds"}


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("name = `x`", "no span set"),
        ("{ name = `x`", "not closed"),
        ("{ } }", "closes nothing"),
        ("{ decision = `hold` }", "an attribute is span.decision"),
    ],
)
def test_what_is_no_traceql_is_refused(expression: str, said: str) -> None:
    """By what is wrong with it."""
    with pytest.raises(ExpressionError, match=said):
        traceql(expression)


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ('{ resource.service.name = "fd" }', "no service 'fd'"),
        ('{ name = "fds.evaluated" }', "no service makes a span 'fds.evaluated'"),
        ('{ span.verdict = "hold" }', "no span has the attribute 'verdict'"),
        ('{ resource.name = "fds" }', "no resource has the attribute 'name'"),
        ("{ ", "cannot be read"),
    ],
)
def test_what_nothing_declares_is_said(expression: str, said: str) -> None:
    """One mistake of each kind."""
    assert [said in one for one in check_traceql(expression, KNOWN)] == [True]
    assert list(check_traceql('{ resource.service.name = "ml" && span.decision != nil }', KNOWN)) == []
