"""Shows the logs of services: the last lines, and what comes after."""

import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from firedrill.errors import NotRunning, UsageError
from firedrill.local.layout import Layout
from firedrill.local.logfile import last_lines

_LOOK_SECONDS = 0.25


def show_logs(layout: Layout, names: Sequence[str], *, following: bool, lines: int) -> int:
    """Print the last lines of services, or follow them until Ctrl-C."""
    files = _log_files(layout)
    unknown = [name for name in names if name not in files]
    if unknown:
        known = ", ".join(sorted(files)) or "none yet"
        raise UsageError(
            f"there is no log of {', '.join(unknown)}", f"there are: {known}", "firedrill logs NAME"
        )
    chosen = {name: path for name, path in files.items() if not names or name in names}
    if not chosen:
        raise NotRunning("there are no logs yet", todo="start the stack: make up")
    prefix = len(chosen) > 1
    for name, path in chosen.items():
        for line in last_lines(path, lines):
            _print_line(name, line, prefix=prefix)
    if following:
        _follow_files(chosen, prefix=prefix)
    return 0


def _log_files(layout: Layout) -> Mapping[str, Path]:
    folders = (layout.logs, layout.volume("service-logs"))
    return {path.stem: path for folder in folders if folder.exists() for path in sorted(folder.glob("*.log"))}


def _follow_files(files: Mapping[str, Path], *, prefix: bool) -> None:
    ends = {name: path.stat().st_size for name, path in files.items()}
    try:
        while True:
            for name, path in files.items():
                size = path.stat().st_size if path.exists() else 0
                start = ends[name] if size >= ends[name] else 0  # it began anew
                if size > start:
                    with path.open("rb") as stream:
                        stream.seek(start)
                        text = stream.read(size - start)
                    whole = text.rfind(b"\n") + 1
                    for line in text[:whole].decode("utf-8", "replace").splitlines():
                        _print_line(name, line, prefix=prefix)
                    ends[name] = start + whole
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        return


def _print_line(name: str, line: str, *, prefix: bool) -> None:
    sys.stdout.write(f"{name} | {line}\n" if prefix else f"{line}\n")
    sys.stdout.flush()
