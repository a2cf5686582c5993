"""Watches a starting stack for a person: a live table on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from firedrill.errors import FiredrillError, StartError
from firedrill.local.layout import Layout
from firedrill.local.logfile import last_lines
from firedrill.local.processes import Identity
from firedrill.local.records import UP, ServiceState, StackState, read_state

LOOK_SECONDS = 0.25
# A supervisor that has not written its first state by then never will.
FIRST_STATE_SECONDS = 30.0
# `up` gives up after so many restarts, or so long without readiness; the supervisor goes on trying.
MANY_RESTARTS, LONG_START_SECONDS = 5, 90.0
PLAIN_PROGRESS_SECONDS = 30.0
_COLOURS = {
    "ready": "green", "finished": "green", "building": "cyan", "starting": "cyan", "waiting": "dim",
    "failing": "red", "build failed": "red", "unready": "red", "held": "yellow",
}  # fmt: skip
_MILESTONE_TEXT = {
    "services": "services usable", "metrics": "metrics usable", "alerts": "alerts usable",
    "logs": "logs usable", "traces": "traces usable", "all": "everything ready",
}  # fmt: skip


def states(layout: Layout, instance: str | None, has_ended: Callable[[], bool]) -> Iterator[StackState]:
    """The state again and again; `instance` is the launch to be seen, None for any. Raises StartError."""
    begin = time.monotonic()
    while True:
        ended = has_ended()
        state = read_state(layout.state_file)
        if state is not None and (instance is None or state.instance == instance):
            if state.status == "failed" and state.failure is not None:
                raise FiredrillError(*state.failure)
            yield state
            alive = Identity(state.supervisor_pid, state.supervisor_born).process()
            if alive is None and state.status != "stopped":
                raise _died(layout, "the supervisor ended without a word (killed, or out of memory)")
        elif ended or time.monotonic() - begin > FIRST_STATE_SECONDS:
            raise _died(layout, "the supervisor did not start")
        time.sleep(LOOK_SECONDS)


def _died(layout: Layout, what: str) -> StartError:
    said = " / ".join(last_lines(layout.supervisor_log, 3))
    return StartError(what, said[-600:], f"run `make up` again; the log is {layout.supervisor_log}")


def hopeless(state: StackState, now: float) -> dict[str, str]:
    """Services that will not become ready by waiting, each with the reason."""
    found: dict[str, str] = {}
    for name, one in state.services.items():
        never = one.ready_after is None
        if one.phase == "build failed":
            found[name] = f"its build failed: {one.detail}"
        elif one.phase in {"failing", "starting"} and one.restarts >= MANY_RESTARTS:
            found[name] = f"it fails again and again: {one.detail}"
        elif one.phase == "starting" and never and now - one.since > LONG_START_SECONDS:
            found[name] = f"not ready after {now - one.since:.0f} s: {one.detail}"
        elif one.phase == "unready" and now - one.since > LONG_START_SECONDS:
            found[name] = one.detail
    return found


def settled(state: StackState, now: float) -> bool:
    """True when nothing more is to be expected: all are up, held, hopeless or wait for a hopeless one."""
    lost = hopeless(state, now)
    others = [one for name, one in state.services.items() if name not in lost]
    if not state.services or state.status != "running":
        return False
    if lost:
        return all(one.phase in UP or one.phase in {"held", "waiting"} for one in others)
    return all(one.phase in UP or one.phase == "held" for one in others)


@dataclass
class Announcer:
    """Says what is new, in plain lines, with the seconds since `up` began."""

    say: Callable[[str], None]
    _phases: dict[str, str] = field(default_factory=dict)
    _milestones: set[str] = field(default_factory=set)
    _progress: dict[str, float] = field(default_factory=dict)

    def take(self, state: StackState, now: float, *, services: bool) -> None:
        """Compare with what was seen before; with `services`, each service's changes too."""
        if services:
            for name, one in state.services.items():
                self._service(name, one, state, now)
        for name, seconds in state.milestones.items():
            if name not in self._milestones:
                self._milestones.add(name)
                self.say(f"{_MILESTONE_TEXT.get(name, name)} after {seconds:.0f} s")

    def _service(self, name: str, one: ServiceState, state: StackState, now: float) -> None:
        text = ""
        before = self._phases.get(name)
        if one.phase != before:
            if one.phase == "ready" and one.ready_after is not None:
                text = "ready" if before is None else f"ready after {one.ready_after:.1f} s"
            elif one.phase in {"failing", "build failed", "unready", "held", "finished"}:
                text = f"{one.phase}{': ' + one.detail if one.detail else ''}"
            elif one.phase == "building":
                text = "building"
        elif one.phase == "building" and now - self._progress.get(name, now) > PLAIN_PROGRESS_SECONDS:
            text = f"building, {100 * (one.progress or 0):.0f}% {one.detail}"
        if text:
            self._progress[name] = now
            self.say(f"[{now - state.began:5.0f} s] {name}: {text}")
        self._phases[name] = one.phase


def follow(
    layout: Layout,
    console: Console,
    *,
    instance: str | None = None,
    has_ended: Callable[[], bool] = lambda: False,
) -> StackState:
    """Watch until nothing more is to be expected, and give that state. Raises FiredrillError."""
    announcer = Announcer(lambda line: console.print(line, highlight=False, soft_wrap=True))
    live = Live(console=console, refresh_per_second=4, transient=True) if console.is_terminal else None
    if live is None:
        return _watch(
            layout, instance, has_ended, lambda state: announcer.take(state, time.time(), services=True)
        )

    def show(state: StackState) -> None:
        announcer.take(state, time.time(), services=False)
        live.update(table(state, time.time()))

    with live:
        return _watch(layout, instance, has_ended, show)


def _watch(
    layout: Layout, instance: str | None, has_ended: Callable[[], bool], show: Callable[[StackState], None]
) -> StackState:
    for state in states(layout, instance, has_ended):
        show(state)
        if state.status in {"stopping", "stopped"}:
            raise StartError(
                "the stack is being stopped", "somebody ran `make down`", "make up starts it again"
            )
        if settled(state, time.time()):
            return state
    raise AssertionError("states() never ends by itself")


def table(state: StackState, now: float) -> Group:
    """The services with phase, age and detail."""
    grid = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("component", "phase", "for", "restarts", ""):
        grid.add_column(
            title, no_wrap=title != "", justify="right" if title in {"for", "restarts"} else "left"
        )
    for name, one in state.services.items():
        phase = f"building {100 * (one.progress or 0):.0f}%" if one.phase == "building" else one.phase
        grid.add_row(
            name,
            Text(phase, style=_COLOURS.get(one.phase, "")),
            _age(now - one.since),
            str(one.restarts) if one.restarts else "",
            Text(one.detail.replace("\n", " "), style="dim", overflow="ellipsis", no_wrap=True),
        )
    ready = sum(one.phase in UP for one in state.services.values())
    footer = f"{ready} of {len(state.services)} ready, {now - state.began:.0f} s since `up` began"
    return Group(grid, Text(footer, style="dim"))


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"


def with_token(text: str, token: str) -> str:
    """A line that is shown to the stack's owner, with the token that the console's link needs."""
    return text.replace("{FAULTS_TOKEN}", token)


def closing(state: StackState, wanted_urls: bool, left_out: Mapping[str, str], token: str) -> list[str]:
    """What `up` prints at its end."""
    lines = []
    if wanted_urls:
        lines += ["", *(f"  {with_token(text, token)}" for text in state.shows), ""]
        lines += [f"  not started: {name} ({why})" for name, why in left_out.items()]
        lines += [
            "",
            "  make verify   prove that all signals arrive     make drill    list the drills",
            "  make status   what runs                         make down     stop; data stays",
        ]
    return lines
