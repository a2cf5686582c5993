"""A chart as an element: ECharts as NiceGUI brings it, with options that travel as one text."""

import json
from typing import Any

from nicegui import ui
from nicegui.elements import echart  # noqa: F401 - announces the ECharts module that chart.js imports


class Chart(ui.element, component="chart.js"):
    """A chart. As one text, its thousands of numbers are not watched one by one for changes."""

    def __init__(self, options: dict[str, Any], *, label: str) -> None:
        super().__init__()
        self.classes("fd-fill")
        self.props["role"], self.props["aria-label"] = "img", label
        self.draw(options)

    def draw(self, options: dict[str, Any]) -> None:
        """Draw other options; what is the same is not sent again."""
        text = json.dumps(options, separators=(",", ":"), allow_nan=False)
        if self.props.get("options") != text:
            self.props["options"] = text
