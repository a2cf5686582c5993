"""How long a service takes to be imported, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

REPEATS = 3


def services(root: Path) -> list[str]:
    """The services that there are."""
    return sorted(path.parent.name for path in (root / "services").glob("*/app.py"))


def seconds(root: Path, statement: str) -> float:
    """Wall time of a Python that runs one statement, the median of REPEATS; RuntimeError when it fails."""
    took = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", statement], cwd=root, capture_output=True, text=True, check=False
        )
        took.append(time.perf_counter() - begun)
        if done.returncode != 0:
            raise RuntimeError(f"{statement!r} failed: {done.stderr.strip()[-500:]}")
    return median(took)


def show(root: Path) -> dict[str, float]:
    """Print and return the seconds of every service, with those of Python and FastAPI to compare with."""
    found = {"python": seconds(root, "pass"), "fastapi": seconds(root, "import fastapi")}
    found["telemetry"] = seconds(root, "import telemetry.app")
    for name in services(root):
        found[name] = seconds(root, f"import services.{name}.app")
    print("import in a new process, seconds:")
    for name, took in found.items():
        print(f"  {name:16}{took:6.2f}")
    return found
