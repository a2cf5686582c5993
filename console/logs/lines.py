"""Log lines as an element: its script draws the rows in the viewer's time and opens one on a click."""

from collections.abc import Sequence

from nicegui import ui

from .rows import Row


class Lines(ui.element, component="lines.js"):
    """A list of rows, newest first unless `oldest_first`; every text in it is text."""

    def __init__(self, rows: Sequence[Row] = (), *, oldest_first: bool = False, brief: bool = False) -> None:
        super().__init__()
        self.props["brief"] = brief
        self._oldest_first = oldest_first
        self.show(rows)

    def show(self, rows: Sequence[Row], *, new: Sequence[Row] = ()) -> None:
        """Draw these rows; `new` ones are marked for a moment. What is open stays open."""
        ordered = list(reversed(rows)) if self._oldest_first else list(rows)
        fresh = {row.key for row in new}
        self.props["rows"] = [{**row.as_props(), "fresh": row.key in fresh} for row in ordered]
