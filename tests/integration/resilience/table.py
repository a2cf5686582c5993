"""The result of the kill test as a table for people."""

from collections.abc import Sequence
from dataclasses import dataclass

COLUMNS = (
    "component", "requests", "not 2xx (itself / others)", "orders accepted / found",
    "log lines written / found", "traces answered / stored", "spans counted lost", "longest answer",
    "ready again", "all answers good again",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One component's death; seconds count from the kill. `longest` leaves out the killed service itself."""

    component: str
    requests: int
    failed_itself: int
    failed_others: int
    orders: tuple[int, int]
    lines: tuple[int, int]
    traces: tuple[int, int]
    spans_lost: int
    longest: float
    ready: float
    good: float

    def cells(self) -> tuple[str, ...]:
        """As text, in the order of COLUMNS."""
        return (
            self.component, str(self.requests), f"{self.failed_itself} / {self.failed_others}",
            *(f"{one} / {other}" for one, other in (self.orders, self.lines, self.traces)),
            str(self.spans_lost), f"{self.longest:.2f} s", f"{self.ready:.1f} s", f"{self.good:.1f} s",
        )  # fmt: skip


def table(rows: Sequence[Row]) -> str:
    """The rows in Markdown, aligned."""
    cells = [COLUMNS, *(row.cells() for row in rows)]
    widths = [max(len(line[number]) for line in cells) for number in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)) + " |"
        for line in cells
    ]
    return "\n".join([lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]])
