"""The frame's parts: text is text, links lead where they may, times are handed to the browser."""

from collections.abc import Iterator

import pytest
from nicegui import Client, ui

from console import frame


@pytest.fixture(autouse=True)
def page() -> Iterator[None]:
    """A page to put elements on; nobody looks at it."""
    client = Client(ui.page(""))
    with client:
        yield
    client.delete()


def test_text_is_handed_on_as_text() -> None:
    """Neither as HTML nor as properties."""
    element = frame.text("<b>bold</b> x=1", tag="span", classes="fd-quiet")
    assert element.text == "<b>bold</b> x=1"
    assert element.tag == "span"
    assert dict(element.props) == {}


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " javascript:x", ""])
def test_links_of_other_schemes_lead_nowhere(address: str) -> None:
    """What an annotation or a label says is no code."""
    assert "href" not in frame.anchor("x", address).props


@pytest.mark.parametrize(
    "address", ["/boards", "#content", "https://example.org/a", "http://127.0.0.1:8090/"]
)
def test_links_of_the_web_lead_there(address: str) -> None:
    """And a new window cannot reach back."""
    element = frame.anchor("x", address, blank=True)
    assert element.props["href"] == address
    assert element.props["rel"] == "noopener noreferrer"


def test_times_go_to_the_browser_in_milliseconds() -> None:
    """It knows the viewer's zone."""
    element = frame.when(1_700_000_000.1239, style="ago")
    assert element.props["at"] == "1700000000124"
    assert element.props["look"] == "ago"


@pytest.mark.parametrize(("since", "words"), [(None, "No data in this time"), (12.0, "No data since ")])
def test_an_empty_box_says_since_when(since: float | None, words: str) -> None:
    """Or that nothing was found."""
    box = frame.no_data(since, todo="start the traffic")
    found = [getattr(one, "text", "") for one in box.descendants()]
    assert words in found
    assert "start the traffic" in found
