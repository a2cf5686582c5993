"""Where ask prints: colours and the terminal's width on a terminal, plain whole lines in a pipe."""

import shutil
from typing import TextIO

from rich.console import Console

PIPE_WIDTH = 100_000  # in a pipe nothing is wrapped or cut


def screen(file: TextIO | None = None) -> Console:
    """A console on `file` or standard output that interprets no markup."""
    plain = Console(file=file, markup=False, highlight=False, emoji=False)
    if plain.is_terminal:
        return plain
    return Console(file=file, markup=False, highlight=False, emoji=False, width=PIPE_WIDTH, color_system=None)


def drawing_width(console: Console) -> int:
    """Columns to draw in: the terminal's, or in a pipe those that COLUMNS says (100 when it says nothing)."""
    return console.width if console.is_terminal else shutil.get_terminal_size((100, 24)).columns
