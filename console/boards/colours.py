"""Colours that can be read on light and dark ground alike."""

PALETTE = (
    "#3b82c4", "#d9822b", "#2f9e6e", "#c2529a", "#8a6fd1",
    "#b8963e", "#3fa6bd", "#d9605b", "#7f8c99", "#9c6b4a",
)  # fmt: skip
NAMED = {
    "green": "#2e9e4f",
    "yellow": "#d9a514",
    "orange": "#e0731d",
    "red": "#d64541",
    "blue": "#3b82c4",
    "purple": "#8a6fd1",
    "transparent": "transparent",
}
INK, LINES = "#717d8a", "rgba(128, 138, 148, 0.22)"
LIMIT = NAMED["red"]
EXEMPLAR = "#8a6fd1"


def named(colour: str) -> str:
    """A colour of the dashboards' in our shade; one that has none is taken as it is written."""
    for shade in ("dark-", "semi-dark-", "light-", "super-light-"):
        colour = colour.removeprefix(shade)
    return NAMED.get(colour, colour)


def of_series(place: int) -> str:
    """The colour of the series at this place."""
    return PALETTE[place % len(PALETTE)]


def faint(colour: str, opacity: float) -> str:
    """The same colour, less opaque; `#rrggbb` only, others are given back."""
    if not (colour.startswith("#") and len(colour) == 7):
        return colour
    red, green, blue = (int(colour[place : place + 2], 16) for place in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"
