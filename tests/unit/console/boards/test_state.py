"""A viewer's choice in the page's address, there and back."""

from pathlib import Path

import pytest

from console.boards.document import read_board
from console.boards.state import chosen_of

BOARD = read_board(Path(__file__).resolve().parents[4] / "dashboards/shopfds/fds-performance.json")


@pytest.mark.parametrize(
    "query",
    [
        [],
        [("from", "now-3600s"), ("to", "now")],
        [("from", "1700000000000"), ("to", "1700000600000"), ("refresh", "off")],
        [("refresh", "5s")],
        [("var-instance", "fds"), ("var-instance", "fds-2")],
    ],
)
def test_there_and_back(query: list[tuple[str, str]]) -> None:
    """What an address says is what the page would write."""
    assert chosen_of(BOARD, query).query(BOARD) == query


def test_grafanas_words_are_understood() -> None:
    """Relative time, and All as nothing chosen."""
    chosen = chosen_of(BOARD, [("from", "now-6h"), ("to", "now"), ("var-instance", "$__all")])
    assert (chosen.span, chosen.end, dict(chosen.variables)) == (21_600.0, None, {})


@pytest.mark.parametrize(
    "query",
    [
        [("from", "yesterday")],
        [("from", "9" * 40), ("to", "1")],
        [("from", "2"), ("to", "1")],
        [("refresh", "-5s")],
        [("var-other", "x")],
    ],
)
def test_what_cannot_be_read_is_as_the_board_has_it(query: list[tuple[str, str]]) -> None:
    """No error, no odd time."""
    chosen = chosen_of(BOARD, query)
    assert (chosen.span, chosen.end, chosen.refresh, dict(chosen.variables)) == (1800.0, None, 10.0, {})


def test_time_is_bounded() -> None:
    """A minute at least, a month at most."""
    assert chosen_of(BOARD, [("from", "now-1s")]).span == 60.0
    assert chosen_of(BOARD, [("from", "now-1000d")]).span == 30 * 86_400.0
