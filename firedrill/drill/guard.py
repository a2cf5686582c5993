"""Outlives a drill that dies: starts the service that it had stopped, unless it said that it has healed.

python -m firedrill.drill.guard <service>; standard input is a pipe from the drill.
"""

import sys
from collections.abc import Callable, Iterable


def watch(lines: Iterable[str], start: Callable[[], None]) -> bool:
    """Read until the drill is gone; without the line `healed`, start the service. True when it was needed."""
    if any(line.strip() == "healed" for line in lines):
        return False
    start()
    return True


def main(name: str) -> None:
    """Watch standard input for the service `name` of the running stack."""
    from firedrill.stack import current  # noqa: PLC0415 - importing this module must be quick

    stack = current()
    watch(sys.stdin, lambda: stack.start_service(name))


if __name__ == "__main__":
    main(sys.argv[1])
