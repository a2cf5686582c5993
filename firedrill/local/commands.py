"""What the commands do with a local stack: up, down, status, stop, start, clean, doctor."""

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from firedrill.errors import FiredrillError, NotRunning, StartError, UsageError
from firedrill.local import control, follow
from firedrill.local.launch import read_launch
from firedrill.local.layout import Layout
from firedrill.local.processes import Identity, end_all
from firedrill.local.records import BAD, StackState, read_state
from firedrill.local.start import Site, examine, launch, one_at_a_time, plan_for, running_state
from firedrill.local.supervisor import end_leftovers
from firedrill.settings import Settings, is_secret
from firedrill.wait import TimedOut, poll_until

_STOP_SECONDS = 60.0


def up(
    where: Site, settings: Settings, console: Console, *, following: bool = True, quiet: bool = False
) -> int:
    """Start the stack, or follow the one that runs. Gives the exit code; raises FiredrillError."""
    began = time.time()
    with one_at_a_time(where.layout):
        state = running_state(where.layout)
        if state is not None:
            _refuse_other_settings(where.layout, settings)
            console.print("the stack runs already; nothing is changed", highlight=False)
            if any(one.phase == "build failed" for one in state.services.values()):
                control.send(where.layout.socket, "retry")
            if follow.settled(state, began):
                return _conclude(where, state, console, quiet=quiet)
            instance, has_ended = state.instance, _never
        else:
            _refuse_problems(where, settings, console)
            end_leftovers(where.layout)
            plan = plan_for(where, settings)
            instance, supervisor = launch(where, settings, plan, began=began, say=console.print)
            has_ended = _has_ended(supervisor)
            _await_first_word(where.layout, instance, has_ended)
    if not following:
        console.print("starting; `make up` follows, `make status` shows", highlight=False)
        return 0
    try:
        state = follow.follow(where.layout, console, instance=instance, has_ended=has_ended)
    except KeyboardInterrupt:
        text = "\nstopped watching, the work goes on; `make up` follows again, `make down` ends it"
        console.print(text, highlight=False)
        return 130
    return _conclude(where, state, console, quiet=quiet)


def _never() -> bool:
    return False


def _has_ended(process: "subprocess.Popen[bytes]") -> Callable[[], bool]:
    return lambda: process.poll() is not None


def _await_first_word(layout: Layout, instance: str, has_ended: Callable[[], bool]) -> None:
    """Keep other `up`s out until the supervisor has written its state, by which they find it."""

    def spoke() -> bool:
        state = read_state(layout.state_file)
        return has_ended() or (state is not None and state.instance == instance)

    with contextlib.suppress(TimedOut):  # the follower says it better
        poll_until(spoke, "the supervisor's first word", follow.FIRST_STATE_SECONDS, interval=0.05)


def _token(where: Site) -> str:
    """The running stack's token, which its console's link carries."""
    return read_launch(where.layout).known_settings.get("FAULTS_TOKEN")


def _conclude(where: Site, state: StackState, console: Console, *, quiet: bool) -> int:
    lost = follow.hopeless(state, time.time())
    waiting = [name for name, one in state.services.items() if one.phase == "waiting"]
    if not lost and not waiting:
        for line in follow.closing(state, not quiet, state.left_out, _token(where)):
            console.print(line, highlight=False, soft_wrap=True)
        return 0
    for name, why in lost.items():
        console.print(f"{name} did not become ready: {why}", style="red", highlight=False, soft_wrap=True)
    for name in waiting:
        console.print(f"{name} waits: {state.services[name].detail}", highlight=False, soft_wrap=True)
    rest = len(state.services) - len(lost) - len(waiting)
    console.print(
        f"the other {rest} run; `firedrill logs NAME` shows why, `make down` stops all", highlight=False
    )
    return 1


def _refuse_problems(where: Site, settings: Settings, console: Console) -> None:
    """Run the doctor. One problem is raised, several are printed and summed up."""
    findings = examine(where, settings)
    for finding in findings:
        if finding.subject == "settings":
            console.print(finding.text, style="yellow", highlight=False)
    problems = [finding.problem for finding in findings if finding.problem is not None]
    if len(problems) == 1:
        raise problems[0]
    if problems:
        for problem in problems:
            console.print(str(problem), highlight=False, soft_wrap=True)
        raise StartError(
            f"{len(problems)} problems, nothing was started", todo="mend them; `make doctor` looks again"
        )


def _refuse_other_settings(layout: Layout, settings: Settings) -> None:
    """A running stack keeps its settings; whoever asks for others must know that they are not in force."""
    running = read_launch(layout).settings
    # Which runtime runs is known by now, however it was chosen.
    others = [
        name for name in settings.values if name != "RUNTIME" and running.get(name) != settings.values[name]
    ]
    if others:
        what = [name if is_secret(name) else f"{name}={running.get(name, '')}" for name in others]
        asked = [name if is_secret(name) else f"{name}={settings.values[name]}" for name in others]
        raise UsageError(
            "the stack runs already, with other settings",
            f"it has {', '.join(what)}; asked was {', '.join(asked)}",
            "make down, then make up again",
        )


def down(where: Site, console: Console) -> int:
    """Stop everything and look that nothing is left. Data stays."""
    layout = where.layout
    state = running_state(layout)
    if state is None:
        ended = end_leftovers(layout)
        text = f"ended {len(ended)} processes that were left" if ended else "nothing is running"
        console.print(text, highlight=False)
        return 0
    began = time.monotonic()
    console.print(f"stopping {len(state.services)} services", highlight=False)
    supervisor = Identity(state.supervisor_pid, state.supervisor_born)
    _ask_to_end(layout, supervisor)
    try:
        poll_until(lambda: supervisor.process() is None, "the supervisor's end", _STOP_SECONDS)
    except TimedOut:
        console.print("the supervisor does not end; ending it by force", style="yellow", highlight=False)
        end_all([supervisor], mark=state.instance)
    end_leftovers(layout)
    left = end_all((), mark=state.instance)
    listening = list(_listening(state))
    if left:
        console.print(f"ended {len(left)} processes that were left", style="yellow", highlight=False)
    if listening:
        raise StartError(
            "a port still has a listener", ", ".join(listening), "look who it is: firedrill doctor"
        )
    console.print(
        f"stopped after {time.monotonic() - began:.0f} s; data stays in {layout.data}",
        highlight=False,
        soft_wrap=True,
    )
    return 0


def _ask_to_end(layout: Layout, supervisor: Identity) -> None:
    try:
        control.send(layout.socket, "down")
    except NotRunning:
        # It is still preparing, or its socket is gone: the signal means the same.
        process = supervisor.process()
        if process is not None:
            process.terminate()


def _listening(state: StackState) -> Iterator[str]:
    for name in state.services:
        for port in state.ports.get(name, {}).values():
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.settimeout(0.5)
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    yield f"{name} {port}"


def status(where: Site, console: Console, *, as_json: bool) -> int:
    """Show what runs; the exit code is 1 when something is wrong, 3 when nothing runs."""
    state = running_state(where.layout)
    if state is None:
        if as_json:
            console.print_json(data={"status": "stopped", "services": {}})
        else:
            console.print("the stack is not running; start it: make up", highlight=False)
        return 3
    if as_json:
        console.print_json(data={**asdict(state), "state_folder": str(where.layout.root)})
    else:
        console.print(
            f"local runtime, pace {state.pace}, state in {where.layout.root}", highlight=False, soft_wrap=True
        )
        console.print(follow.table(state, time.time()))
        for name, why in state.left_out.items():
            console.print(f"not started: {name} ({why})", style="dim", highlight=False)
        for line in (line for line in state.shows if line.startswith("console")):
            console.print(follow.with_token(line, _token(where)), highlight=False, soft_wrap=True)
    return 1 if any(one.phase in BAD for one in state.services.values()) else 0


def steer(where: Site, command: str, name: str, console: Console) -> int:
    """Hold a service down, or release it."""
    control.send(where.layout.socket, command, name)
    console.print(
        f"{name} is held down until `firedrill start {name}`" if command == "hold" else f"{name} starts",
        highlight=False,
    )
    return 0


def clean(where: Site, console: Console) -> int:
    """Stop the stack and delete its state: data, logs, configs. Built binaries and .env stay."""
    down(where, console)
    layout = where.layout
    for folder in (
        layout.config,
        layout.data,
        layout.logs,
        layout.temporary,
        layout.project_copy,
        layout.socket.parent,
    ):
        shutil.rmtree(folder, ignore_errors=True)
    for file in (
        layout.launch_file, layout.state_file, layout.timeline_file, layout.processes_file, layout.lock_file,
        layout.root / "up.lock",
    ):  # fmt: skip
        file.unlink(missing_ok=True)
    if layout.root.exists() and not any(layout.root.iterdir()):
        layout.root.rmdir()
    console.print(
        f"deleted the data in {layout.root}; binaries stay in {where.cache}", highlight=False, soft_wrap=True
    )
    return 0


def doctor_table(where: Site, settings: Settings, console: Console) -> int:
    """Print all findings; 1 when one of them is a problem."""
    findings = examine(where, settings)
    grid = Table(box=None, pad_edge=False, show_header=False)
    for finding in findings:
        mark = (
            "[red]problem[/]"
            if finding.problem
            else ("[yellow]note[/]" if finding.subject == "settings" else "[green]ok[/]")
        )
        grid.add_row(mark, finding.subject, finding.text)
    console.print(grid)
    problems: list[FiredrillError] = [one.problem for one in findings if one.problem is not None]
    for problem in problems:
        console.print(f"\n{problem}", highlight=False, soft_wrap=True)
    return 1 if problems else 0
