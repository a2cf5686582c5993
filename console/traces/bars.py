"""The waterfall as an element: its script draws the bars, folds them and shows what a span says."""

from nicegui import ui

from .waterfall import Waterfall


class Bars(ui.element, component="bars.js"):
    """A waterfall; every text in it is text."""

    def __init__(self, shown: Waterfall) -> None:
        super().__init__()
        self.show(shown)

    def show(self, shown: Waterfall) -> None:
        """Draw another state of it; what is open stays open."""
        self.props["waterfall"] = shown.as_props()
