"""Key figures and gauges as elements: numbers over a small SVG."""

from nicegui import ui
from nicegui.element import Element

from console import frame
from console.boards.answers import Data
from console.boards.document import Panel
from console.boards.figures import figures, gauge

# With more figures than this in one panel, each is written smaller.
FEW = 2


def draw_figures(panel: Panel, data: Data) -> None:
    """Each series as a number with its course behind it."""
    found = figures(panel, data)
    with ui.element("div").classes("fd-figures" + (" fd-many" if len(found) > FEW else "")):
        for one in found:
            with ui.element("div").classes("fd-figure"):
                with _svg("0 0 100 30", "fd-spark", stretch=True):
                    _path(one.area, colour="", fill=one.colour)
                    _path(one.line, colour=one.colour, classes="fd-line")
                value = frame.text(one.text, classes="fd-figure-value")
                value.props["data-value"] = "" if one.value is None else repr(one.value)
                value.props["data-series"] = one.name
                if one.colour:
                    value.style(f"color:{one.colour}")
                if len(found) > 1:
                    frame.text(one.name, classes="fd-figure-name").props["title"] = one.name


def draw_gauge(panel: Panel, data: Data) -> None:
    """Half a circle with the value, its limits as ticks, and its ends in words."""
    found = gauge(panel, data)
    with _svg("0 0 100 58", "fd-gauge"):
        _path(found.whole, colour="", classes="fd-rest")
        _path(found.drawn, colour=found.colour)
        for drawn, colour in found.ticks:
            _path(drawn, colour=colour).style("stroke-width:1.5")
        value = _label(found.text, 50, 43, "fd-gauge-value").style(f"fill:{found.colour}")
        value.props["data-value"] = "" if found.value is None else repr(found.value)
        value.props["data-series"] = data.series[0].name if data.series else ""
        _label(found.least, 10, 54)
        _label(found.most, 90, 54)


def _svg(box: str, classes: str, *, stretch: bool = False) -> Element:
    element = ui.element("svg").classes(classes)
    element.props["viewBox"], element.props["aria-hidden"] = box, "true" if stretch else "false"
    if stretch:
        element.props["preserveAspectRatio"] = "none"
    return element


def _path(drawn: str, *, colour: str, fill: str = "", classes: str = "") -> Element:
    element = ui.element("path")
    element.props["d"] = drawn
    if classes:
        element.classes(classes)
    if colour:
        element.style(f"stroke:{colour}")
    if fill:
        element.style(f"fill:{fill}")
    return element


def _label(words: str, x: float, y: float, classes: str = "") -> Element:
    element = frame.text(words, tag="text", classes=classes)
    element.props["x"], element.props["y"] = str(x), str(y)
    return element
