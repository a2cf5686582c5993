"""A command's progress is seen while it works, and kept."""

import io
import sys
from pathlib import Path

from firedrill.engine.showing import KEPT_LINES, run_showing


def test_both_streams_are_shown_in_order_and_kept(tmp_path: Path) -> None:
    """Docker tells progress on one and errors on the other."""
    out = io.StringIO()
    script = "import os; os.write(1, b'one\\n'); os.write(2, b'tw\\xff\\n'); raise SystemExit(7)"
    code, said = run_showing([sys.executable, "-c", script], folder=tmp_path, environ={}, out=out)
    assert code == 7
    assert said == out.getvalue() == "one\ntw\ufffd\n"


def test_what_is_kept_is_bounded(tmp_path: Path) -> None:
    """The end tells why it failed."""
    script = f"print('\\n'.join(map(str, range({KEPT_LINES + 50}))))"
    _, said = run_showing([sys.executable, "-c", script], folder=tmp_path, environ={}, out=io.StringIO())
    assert said.splitlines()[0] == "50"
    assert len(said.splitlines()) == KEPT_LINES
