"""Small drawings as SVG paths: the course behind a key figure, and a gauge's arc."""

import math
from collections.abc import Sequence

WIDTH, HEIGHT = 100.0, 30.0
RADIUS, CENTRE_X, CENTRE_Y = 40.0, 50.0, 46.0


def course(values: Sequence[float | None], *, closed: bool) -> str:
    """A path through the values in a box of 100 by 30; with `closed`, the area below it. Gaps stay gaps."""
    there = [one for one in values if one is not None]
    if not there or len(values) < 2:
        return ""
    least, most = min(0.0, *there), max(there)
    high = (most - least) or 1.0
    parts, run = [], []
    for place, value in enumerate([*values, None]):
        if value is not None:
            x = WIDTH * place / (len(values) - 1)
            run.append((x, HEIGHT - (value - least) / high * (HEIGHT - 2) - 1))
        elif run:
            parts.append(_line(run, closed=closed))
            run = []
    return " ".join(parts)


def arc(share: float) -> str:
    """Half a circle from the left, of which `share` (0 to 1) is drawn, in a box of 100 by 50."""
    share = min(max(share, 0.0), 1.0)
    angle = math.pi * (1 - share)
    x, y = CENTRE_X + RADIUS * math.cos(angle), CENTRE_Y - RADIUS * math.sin(angle)
    return f"M{CENTRE_X - RADIUS:g},{CENTRE_Y:g} A{RADIUS:g},{RADIUS:g} 0 0 1 {x:.2f},{y:.2f}"


def tick(share: float) -> str:
    """A short line across the arc at `share`."""
    angle = math.pi * (1 - min(max(share, 0.0), 1.0))
    ends = [
        f"{CENTRE_X + radius * math.cos(angle):.2f},{CENTRE_Y - radius * math.sin(angle):.2f}"
        for radius in (RADIUS - 7, RADIUS + 7)
    ]
    return f"M{ends[0]} L{ends[1]}"


def _line(run: Sequence[tuple[float, float]], *, closed: bool) -> str:
    points = " L".join(f"{x:.1f},{y:.1f}" for x, y in run)
    if not closed:
        return f"M{points}"
    return f"M{run[0][0]:.1f},{HEIGHT:g} L{points} L{run[-1][0]:.1f},{HEIGHT:g} Z"
