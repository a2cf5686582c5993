"""Building component binaries from their pinned Go modules into a checked cache."""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from firedrill.build.pins import Pins

INTERRUPTED = 130


def main(
    names: Sequence[str],
    events: bool = False,
    *,
    environ: Mapping[str, str] | None = None,
    out: IO[str] | None = None,
    pins: "Pins | None" = None,
) -> int:
    """Build the named components or binaries (all of the stack's for none) that the cache lacks.

    Writes lines for a person, or with `events` one JSON object a line (firedrill.build.events.Event), to
    `out` (standard output). Returns 0 when all are there, 1 when one failed, 130 when stopped by a signal.
    Raises UsageError for an unknown name, EnvironmentProblem when nothing can be built here at all.
    """
    from firedrill import binaries  # noqa: PLC0415
    from firedrill.build import gotool, settings  # noqa: PLC0415  # the other commands need not wait for them
    from firedrill.build import pins as pinned  # noqa: PLC0415
    from firedrill.build.builder import Builder  # noqa: PLC0415
    from firedrill.build.children import CancelledError  # noqa: PLC0415
    from firedrill.build.events import ReaderGoneError, human_lines, json_lines  # noqa: PLC0415

    stream = sys.stdout if out is None else out
    environ = os.environ if environ is None else environ
    known = pins or pinned.load()
    configured = settings.from_environment(environ)
    builder = Builder(
        configured,
        json_lines(stream) if events else human_lines(stream),
        is_there=lambda component: all(
            binaries.locate(binary, environ=environ, known=known) for binary in component.binaries
        ),
        find_go=lambda needed: gotool.find(configured, toolchain=needed.toolchain, minimum=needed.minimum_go),
    )
    try:
        with _stopping(builder.cancel):
            builder.run(pinned.in_order_of_use(known.select(names)))
    except CancelledError:
        print("the build was stopped; what is compiled is kept and not done again", file=sys.stderr)
        return INTERRUPTED
    except ReaderGoneError:
        if stream is sys.stdout:  # or the interpreter fails once more when it flushes at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
        return INTERRUPTED
    return 1 if builder.failed else 0


@contextmanager
def _stopping(cancel: Callable[[], None]) -> Iterator[None]:
    """SIGINT, SIGTERM and SIGHUP mean "stop" while the build runs."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: cancel()) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
