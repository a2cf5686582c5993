"""The pictures of the console: light and dark, phone and wide, under traffic and during a fault."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from firedrill.clients import Jaeger, open_http
from firedrill.fault.client import Faults
from firedrill.screenshots.chromium import running
from firedrill.screenshots.page import PHONE, WIDE, Page
from firedrill.stack import Stack
from firedrill.wait import TimedOut

DRAWN_SECONDS = 30.0
# So long the fault shows on the graphs before they are taken.
FAULT_SECONDS, FAULT_TTL = 45.0, 120.0
FAULT = ("fds", "cti_slow")
_DRAWN = (
    "document.querySelector('.fd-main')?.children.length > 0 && ![...document.querySelectorAll('.fd-panel')]"
    ".some((one) => one.dataset.end === undefined)"
)
Say = Callable[[str], None]


@dataclass(frozen=True)
class Shot:
    """One picture: its name, the page, the window, and whether all of the page is on it."""

    name: str
    path: str
    size: tuple[int, int] = WIDE
    dark: bool = False
    whole: bool = True


CALM = (
    Shot("overview-light-wide", "/"),
    Shot("overview-dark-phone", "/", PHONE, dark=True),
    Shot("boards-light-wide", "/boards"),
    Shot("shop-dark-wide", "/boards/ecommerce-overview", dark=True),
    Shot("stack-light-phone", "/boards/stack-health", PHONE),
    Shot("logs-light-wide", "/logs", whole=False),
    Shot("faults-dark-wide", "/faults", dark=True),
    Shot("drills-light-wide", "/drills"),
    Shot("sandbox-light-wide", "/sandbox"),
)
BROKEN = (
    Shot("overview-fault-dark-wide", "/", dark=True),
    Shot("fds-fault-light-wide", "/boards/fds-performance?from=now-5m&to=now"),
    Shot("fds-fault-dark-phone", "/boards/fds-performance?from=now-5m&to=now", PHONE, dark=True),
    Shot("alerts-light-wide", "/alerts"),
    Shot("inbox-light-wide", "/inbox", whole=False),
    Shot("inbox-dark-phone", "/inbox", PHONE, dark=True, whole=False),
)


def take(
    stack: Stack, folder: Path, *, console: str, only: Sequence[str], break_it: bool, say: Say
) -> list[str]:
    """Take the pictures whose names begin with one of `only` (all without); what went wrong, as lines.

    `console` is its address. With `break_it`, fraud checks are slow for a while. Raises FiredrillError.
    """
    wanted = [one for one in CALM if _asked(one, only)]
    broken = [one for one in BROKEN if _asked(one, only)]
    wrong: list[str] = []
    with running() as connection:

        def shoot(shots: Sequence[Shot]) -> None:
            for shot in shots:
                page = Page(connection, size=shot.size, dark=shot.dark)
                drawn, found = _shot(console, stack, page, shot, folder)
                wrong.extend(f"{shot.name}: {line}" for line in found)
                page.close()
                say(f"{folder / shot.name}.png, drawn after {drawn:.0f} ms")

        shoot(wanted)
        if broken and break_it:
            with open_http() as http, _broken(stack, http, say):
                shoot([*broken, *_slow_trace(stack, http, only)])
    return wrong


def _asked(shot: Shot, only: Sequence[str]) -> bool:
    return not only or shot.name.startswith(tuple(only))


def _shot(console: str, stack: Stack, page: Page, shot: Shot, folder: Path) -> tuple[float, list[str]]:
    """Open, wait until all is drawn, and take it; after how many milliseconds, and the page's errors."""
    address = console + shot.path
    mark = "&" if "?" in shot.path else "?"
    page.go(f"{address}{mark}token={stack.settings.get('FAULTS_TOKEN', '')}")
    try:
        page.wait(_DRAWN, f"{shot.path} to be drawn", DRAWN_SECONDS)
        missing: list[str] = []
    except TimedOut as error:
        missing = [str(error)]
    drawn = float(page.ask("performance.now()"))
    # Pages that ask the backends themselves show what came within a moment.
    page.ask("new Promise((done) => setTimeout(done, 1500))")
    page.picture(folder / f"{shot.name}.png", whole=shot.whole)
    return drawn, [*missing, *page.errors()]


@contextmanager
def _broken(stack: Stack, http: httpx.Client, say: Say) -> Iterator[None]:
    """Fraud checks are slow, long enough already for graphs to show it; healed afterwards."""
    faults = Faults(stack, http=http)
    faults.set(*FAULT, {}, ttl_seconds=FAULT_TTL + FAULT_SECONDS)
    try:
        say(f"{'/'.join(FAULT)} is set; pictures of it in {FAULT_SECONDS:.0f} s")
        time.sleep(FAULT_SECONDS)  # not readiness: the graphs are to show a while of it
        yield
    finally:
        faults.clear(*FAULT)


def _slow_trace(stack: Stack, http: httpx.Client, only: Sequence[str]) -> list[Shot]:
    """The trace of the slowest payment of the last minute."""
    now = time.time()
    traces = Jaeger(stack.url("jaeger"), http=http).recent("ecommerce", start=now - 60, end=now, limit=200)
    slow = [one for one in traces if "fds" in {span.service for span in one.spans}]
    if not slow:
        return []
    slowest = max(slow, key=lambda one: max(span.duration for span in one.spans))
    shots = (
        Shot("trace-light-wide", f"/traces/{slowest.trace_id}"),
        Shot("trace-dark-phone", f"/traces/{slowest.trace_id}", PHONE, dark=True),
    )
    return [one for one in shots if _asked(one, only)]
