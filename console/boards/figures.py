"""Key figures and gauges as plain values: text, colour, share."""

from dataclasses import dataclass

from console.boards.answers import Data
from console.boards.charts import colour_of
from console.boards.colours import INK, named
from console.boards.document import Panel
from console.boards.series import reduced
from console.boards.shapes import arc, course, tick
from console.boards.units import number


@dataclass(frozen=True)
class Figure:
    """One key figure; `colour` is empty where the figure says neither good nor bad."""

    name: str
    text: str
    value: float | None
    colour: str
    line: str
    area: str


@dataclass(frozen=True)
class Gauge:
    """A gauge; `ticks` are paths of its limits with their colours."""

    text: str
    value: float | None
    colour: str
    drawn: str
    whole: str
    ticks: tuple[tuple[str, str], ...]
    least: str
    most: str


def figures(panel: Panel, data: Data) -> list[Figure]:
    """The figures of a stat panel, one for each series."""
    found = []
    for place, one in enumerate(data.series):
        value = reduced(one.values, panel.calc)
        judged = panel.colours_value and len(panel.steps) > 1
        colour = step_colour(panel, value) if judged else ""
        found.append(
            Figure(
                one.name,
                number(value, panel.unit, panel.decimals),
                value,
                colour or (colour_of(panel, one.name, place) if one.name in panel.colours else ""),
                course(one.values, closed=False),
                course(one.values, closed=True),
            )
        )
    return found


def gauge(panel: Panel, data: Data) -> Gauge:
    """The gauge of the first series."""
    value = reduced(data.series[0].values, panel.calc) if data.series else None
    least, most = panel.least or 0.0, panel.most if panel.most is not None else 1.0

    def share(of: float) -> float:
        return (of - least) / ((most - least) or 1.0)

    return Gauge(
        number(value, panel.unit, panel.decimals),
        value,
        step_colour(panel, value),
        arc(share(value)) if value is not None else "",
        arc(1.0),
        tuple((tick(share(one.value)), named(one.colour)) for one in panel.steps if one.value is not None),
        number(least, panel.unit),
        number(most, panel.unit),
    )


def step_colour(panel: Panel, value: float | None) -> str:
    """The colour of the last step that the value has reached."""
    if value is None:
        return INK
    reached = [one.colour for one in panel.steps if one.value is None or value >= one.value]
    return named(reached[-1]) if reached else INK
