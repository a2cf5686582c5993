"""The search for log lines: its address and its LogQL, whatever is typed."""

import pytest
from starlette.datastructures import QueryParams

from console.logs.search import Search
from firedrill.errors import UsageError

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("search", "logql"),
    [
        (Search(), '{service=~".+"}'),
        (Search(service="fds"), '{service="fds"}'),
        (Search(service="fds", level="ERROR"), '{service="fds", level=~"ERROR|CRITICAL"}'),
        (Search(level="WARNING"), '{service=~".+", level=~"WARNING|ERROR|CRITICAL"}'),
        (Search(trace_id="a" * 32), '{service=~".+"} | trace_id="' + "a" * 32 + '"'),
        (Search(text="no answer"), '{service=~".+"} |~ "(?i)no answer"'),
        (Search(service="fds", query='{service="ml"} | json'), '{service="ml"} | json'),
    ],
)
def test_form_becomes_logql(search: Search, logql: str) -> None:
    """Every field narrows the query; a query of one's own stands for itself."""
    assert search.logql() == logql


@pytest.mark.parametrize(
    ("text", "stage"),
    [
        ('"} or {a="b', r'|~ "(?i)\"\\} or \\{a=\"b"'),
        ("a.b*", r'|~ "(?i)a\\.b\\*"'),
        ("C:\\x", r'|~ "(?i)C:\\\\x"'),
        ("line\nbreak", r'|~ "(?i)line\nbreak"'),
    ],
)
def test_typed_text_is_only_text(text: str, stage: str) -> None:
    """Quotes, braces and signs of regular expressions are looked for, and never change the query."""
    assert Search(text=text).logql().removeprefix('{service=~".+"} ') == stage


def test_quotes_in_a_service_cannot_leave_the_matcher() -> None:
    """A name out of an address is one string."""
    assert Search(service='x"} |= "y').logql() == r'{service="x\"} |= \"y"}'


def test_a_trace_id_that_is_none_is_refused() -> None:
    """The message says what one looks like, before Loki is asked."""
    with pytest.raises(UsageError, match="is not a trace id"):
        Search(trace_id="xyz").logql()


def test_an_address_brings_back_its_form() -> None:
    """What stands in the address is what was searched."""
    search = Search(service="fds", level="ERROR", text="a & b = ?", since="1h", limit=500, until=NOW)
    assert Search.of(QueryParams(search.address())) == search
    assert search.span(NOW + 99) == (NOW - 3600, NOW)


def test_nonsense_in_an_address_is_left_out() -> None:
    """A page opens with whatever address is given."""
    assert Search.of(QueryParams("level=loud&since=never&limit=x&until=1e999")) == Search()
