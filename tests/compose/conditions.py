"""Whether this machine can run an engine of the test's own, and why not."""

import os
import re
import shutil
import sys
from pathlib import Path

from firedrill.build.settings import machine_target
from tests.compose.engine import PROGRAMS

NEEDED = {"CAP_NET_ADMIN": 12, "CAP_SYS_CHROOT": 18, "CAP_SYS_ADMIN": 21, "CAP_MKNOD": 27}


def why_not() -> str:
    """What keeps the compose test from running here, or nothing."""
    if sys.platform != "linux" or machine_target()[1] != "amd64":
        return "it needs Linux on amd64"
    if os.geteuid() != 0:
        return "it starts an engine, which only root may"
    lacking = [name for name, bit in NEEDED.items() if not _capabilities() >> bit & 1]
    if lacking:
        return f"root lacks {', '.join(lacking)} here, as in a container: no engine can be started"
    if shutil.which("apt-get") is None:
        missing = sorted({package.debian for name, package in PROGRAMS.items() if shutil.which(name) is None})
        return f"it needs Debian's packages {', '.join(missing)}, and there is no apt-get"
    return ""


def _capabilities() -> int:
    text = Path("/proc/self/status").read_text()
    return int(re.search(r"^CapEff:\s*([0-9a-f]+)", text, re.M)[1], 16)  # type: ignore[index]
