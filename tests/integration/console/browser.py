"""The console of the running stack in a real Chromium."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from firedrill.screenshots.chromium import Connection
from firedrill.screenshots.page import WIDE, Page

# A loaded machine may take long over a page; what is asserted is that it comes.
PATIENCE = 60.0


@dataclass(frozen=True)
class ConsoleUnderTest:
    """Where the console is, and the token of what changes anything."""

    address: str
    token: str

    def url(self, path: str, *, token: bool = False) -> str:
        """The full address; with `token` as `make status` shows the link."""
        mark = "&" if "?" in path else "?"
        return self.address + path + (f"{mark}token={self.token}" if token else "")


Open = Callable[..., Page]
"""open_page(path, token=False, size=WIDE, dark=False): a page in a new profile."""


@contextmanager
def pages(chromium: Connection, console: ConsoleUnderTest) -> Iterator[Open]:
    """Opens pages; at the end none of them may have had an error or asked anybody but the console."""
    opened: list[Page] = []

    def open_page(
        path: str, *, token: bool = False, size: tuple[int, int] = WIDE, dark: bool = False
    ) -> Page:
        page = Page(chromium, size=size, dark=dark)
        opened.append(page)
        page.go(console.url(path, token=token))
        page.wait("document.querySelector('.fd-main')", f"{path} to be drawn", PATIENCE)
        return page

    try:
        yield open_page
        for page in opened:
            errors = page.errors()
            assert errors == [], errors
            foreign = [url for url in page.asked() if not url.startswith((console.address, "data:"))]
            assert foreign == [], foreign
    finally:
        for page in opened:
            page.close()
