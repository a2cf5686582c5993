"""What commands write for later readers: the file itself, and the machine that it was measured on."""

import os
import platform
from pathlib import Path

from firedrill.errors import EnvironmentProblem


def write(path: Path, text: str) -> None:
    """Write `text` to `path`, with the folders that lead there. Raises EnvironmentProblem."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise EnvironmentProblem(
            f"{path} cannot be written", str(error), "see who owns its folder, and whether the disk is full"
        ) from None


def machine() -> str:
    """What it was measured on, without naming it."""
    return f"{os.cpu_count()} cores, {platform.machine()}, {platform.system()}"
