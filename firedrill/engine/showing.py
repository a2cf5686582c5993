"""A long docker command whose progress is shown while what it says is kept for the case that it fails."""

import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

KEPT_LINES = 400


def run_showing(
    command: Sequence[str], *, folder: Path, environ: Mapping[str, str], out: TextIO | None = None
) -> tuple[int, str]:
    """Run it with its messages on `out` (standard error); gives its exit code and the last of them."""
    stream = out or sys.stderr
    kept: deque[str] = deque(maxlen=KEPT_LINES)
    with subprocess.Popen(
        command, cwd=folder, env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            kept.append(line)
            stream.write(line)
            stream.flush()
    return process.returncode, "".join(kept)
