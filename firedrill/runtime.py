"""Which runtime runs the stack, docker or local, and the commands that both have."""

import functools
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from rich.console import Console

from firedrill import docker, engine, stack
from firedrill.engine.messages import RegistryProblem
from firedrill.errors import NotRunning
from firedrill.local import commands
from firedrill.local import start as local_start
from firedrill.local.doctor import is_taken
from firedrill.local.layout import Layout, project_root
from firedrill.local.output import show_logs
from firedrill.local.start import Site, running_state
from firedrill.settings import Settings, read_settings
from firedrill.switches import active_profiles


def _site() -> Site:
    return local_start.site(project_root(os.environ), os.environ)


def up(console: Console, *, following: bool, quiet: bool) -> int:
    """Start or follow, on the runtime that is asked for or found."""
    where = _site()
    settings = read_settings(where.project, os.environ, create=True)
    verdict = functools.cache(engine.question)
    chosen, why = choose(settings, local_runs=running_state(where.layout) is not None, verdict=verdict)
    _say_runtime(console, chosen, why)
    if chosen == "docker":
        absent, no_image = or_local(settings, lambda: _prepare(where, settings, verdict(), console))
        if not no_image:
            return docker.up(where.project, settings, where.layout, console, absent=absent)
        _say_runtime(console, "local", no_image)
    return commands.up(where, settings, console, following=following, quiet=quiet)


def or_local(settings: Settings, prepare: Callable[[], tuple[str, ...]]) -> tuple[tuple[str, ...], str]:
    """What `prepare` gives, and nothing; or nothing, and why no image can be had, when nobody said docker."""
    try:
        return prepare(), ""
    except RegistryProblem as problem:
        if settings.runtime == "docker":
            raise
        return (), problem.what


def _say_runtime(console: Console, chosen: str, why: str) -> None:
    console.print(f"runtime: {chosen} ({why})", highlight=False, soft_wrap=True)


def _prepare(where: Site, settings: Settings, verdict: engine.Verdict, console: Console) -> tuple[str, ...]:
    """Look at ports and pull what is missing; gives the services that this engine cannot run."""
    for note in (*verdict.notes, *(f"without {name}: {why}" for name, why in verdict.without.items())):
        console.print(f"  {note}", highlight=False, soft_wrap=True)
    runs = docker.read_marker(where.layout) is not None and bool(docker.states(where.project))
    engine.prepare(
        docker.topology(where.project, settings),
        without=docker.left_out(settings, verdict.without),
        profiles=active_profiles(settings.values),
        taken=None if runs else is_taken,
        say=lambda line: console.print(line, highlight=False, soft_wrap=True),
    )
    return tuple(verdict.without)


def choose(
    settings: Settings, *, local_runs: bool, verdict: Callable[[], engine.Verdict] = engine.question
) -> tuple[str, str]:
    """docker or local, and why. Raises EnvironmentProblem when docker is asked for and not there."""
    if settings.runtime == "local":
        return "local", "RUNTIME=local"
    if settings.runtime == "docker":
        if problem := verdict().problem:
            raise problem
        return "docker", "RUNTIME=docker"
    if local_runs:
        return "local", "it runs already"
    problem = verdict().problem
    return ("local", problem.what) if problem else ("docker", "an engine answers")


def down(console: Console) -> int:
    """Stop what runs, in either runtime."""
    where = _site()
    if docker.read_marker(where.layout) is not None:
        return docker.down(where.project, where.layout)
    return commands.down(where, console)


def own() -> int:
    """Print the variables that attach a service of the user's own to the running stack. Raises NotRunning."""
    running = stack.current()
    local = Layout(running.state_folder).own
    folder = Path(running.settings.get("OWN_DIR") or (local if running.runtime == "local" else "own"))
    variables = {
        "FIREDRILL_OWN": str(running.root / folder.expanduser()),
        "OTEL_EXPORTER_OTLP_ENDPOINT": running.url("collector", 4318),
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    }
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def status(console: Console, *, as_json: bool) -> int:
    """Show what runs."""
    where = _site()
    pace = docker.read_marker(where.layout)
    if pace is None:
        return commands.status(where, console, as_json=as_json)
    for name, state in docker.states(where.project).items():
        console.print(f"{name:16} {state.phase:10} {state.detail}", highlight=False)
    settings = read_settings(where.project, os.environ)
    link = docker.links(docker.topology(where.project, settings), settings)["console"]
    console.print(link, highlight=False, soft_wrap=True)
    return 0


def logs(names: Sequence[str], *, following: bool, lines: int) -> int:
    """Show logs."""
    where = _site()
    if docker.read_marker(where.layout) is not None:
        return docker.logs(where.project, names, following=following, lines=lines)
    return show_logs(where.layout, names, following=following, lines=lines)


def steer(command: str, name: str, console: Console) -> int:
    """Hold a service down (`hold`), or let it run again (`release`)."""
    where = _site()
    if docker.read_marker(where.layout) is not None:
        act = docker.stop_service if command == "hold" else docker.start_service
        act(where.project, name)
        return 0
    if running_state(where.layout) is None:
        raise NotRunning("the stack is not running", todo="start it: make up")
    return commands.steer(where, command, name, console)


def doctor(console: Console) -> int:
    """Show what would keep the stack from starting."""
    where = _site()
    return commands.doctor_table(where, read_settings(where.project, os.environ), console)


def clean(console: Console) -> int:
    """Stop and delete the data."""
    where = _site()
    if docker.read_marker(where.layout) is not None:
        code = docker.down(where.project, where.layout, volumes=True)
        if code:
            return code
    return commands.clean(where, console)


def build(names: Sequence[str], console: Console, *, everything: bool) -> int:
    """Build what is missing."""
    return local_start.build(_site(), names, everything=everything, say=console.print)
