"""The bench's own virtual environment: what it compares with must not come into the services' lock."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

LOCK = "requirements/bench.txt"


def python(root: Path, cache: Path) -> Path:
    """Its Python; made at the first time and after a change of requirements/bench.txt.

    RuntimeError, with the end of uv's words, when it cannot be made.
    """
    lock = root / LOCK
    mark = hashlib.sha256(lock.read_bytes()).hexdigest()[:12]
    folder = cache / f"bench-{sys.version_info[0]}.{sys.version_info[1]}-{mark}"
    made = folder / "bin" / "python"
    done = folder / "complete"
    if done.exists():
        return made
    print(f"making {folder} (once)", file=sys.stderr)
    uv = Path(sys.executable).with_name("uv")
    _run([str(uv), "venv", "-q", "--clear", "--python", sys.executable, str(folder)])
    _run([str(uv), "pip", "install", "-q", "--python", str(made), "--require-hashes", "-r", str(lock)])
    done.touch()
    return made


def _run(command: list[str]) -> None:
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RuntimeError(f"{command[0]} is not there: run make check once, which installs it") from None
    if ended.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed: {ended.stderr.strip()[-2000:]}")
