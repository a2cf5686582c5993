"""The progress line: redrawn on a terminal, a line now and then anywhere else."""

import time
from collections import deque
from collections.abc import Callable
from typing import TextIO

from firedrill.load.messages import Plan, Tick

WINDOW_SECONDS = 5.0  # of the achieved rate


class Progress:
    """Shows ticks; `close` ends the line that is being redrawn."""

    def __init__(
        self, plan: Plan, stream: TextIO, *, terminal: bool, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._plan, self._stream, self._terminal, self._clock = plan, stream, terminal, clock
        self._ticks: deque[Tick] = deque()
        self._every = 0.0 if terminal else min(30.0, max(5.0, plan.seconds / 30))
        self._shown: float | None = None

    def see(self, tick: Tick) -> None:
        """Show a tick, unless the last line is too young."""
        self._ticks.append(tick)
        while len(self._ticks) > 2 and tick.elapsed - self._ticks[0].elapsed > WINDOW_SECONDS:
            self._ticks.popleft()
        now = self._clock()
        if self._shown is None or now - self._shown >= self._every:
            self._shown = now
            self._write(progress_line(self._plan, self._ticks[0], tick))

    def say(self, text: str) -> None:
        """A line that stays."""
        self.close()
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Leave the line that is being redrawn blank."""
        if self._terminal:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()

    def _write(self, line: str) -> None:
        self._stream.write(f"\r\x1b[2K{line}" if self._terminal else f"{line}\n")
        self._stream.flush()


def progress_line(plan: Plan, earlier: Tick, now: Tick) -> str:
    """Elapsed, users, asked and achieved rate (requests a second), failures, P95 of the last second."""
    time = now.elapsed - earlier.elapsed
    begun = time <= 0
    achieved = (now.done if begun else now.done - earlier.done) / (max(now.elapsed, 1.0) if begun else time)
    p95 = "-" if now.p95_ms is None else f"{now.p95_ms:.0f} ms"
    return (
        f"{now.elapsed:4.0f} of {plan.seconds:.0f} s  {now.users} users  asked {now.rate:.1f}/s  "
        f"achieved {achieved:.1f}/s  failed {now.failed}  declined {now.declined}  P95 {p95}"
    )
