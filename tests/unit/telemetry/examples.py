"""How many made-up examples a property is tried with."""

import os

THOROUGH = "THOROUGH"
_SHARE = 5


def examples(full: int) -> int:
    """All of them in `make test`, which sets THOROUGH, and a fifth of them anywhere else."""
    return full if os.environ.get(THOROUGH) else max(20, full // _SHARE)
