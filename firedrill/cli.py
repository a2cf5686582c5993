"""The `firedrill` command: parses, calls, and turns an error into three short lines and an exit code."""

import importlib
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from firedrill.errors import FiredrillError, UsageError

HELP = "An observability reference stack in which every alert is a drill."
cli = typer.Typer(help=HELP, no_args_is_help=True, add_completion=False, rich_markup_mode=None)
Names = Annotated[list[str] | None, typer.Argument(help="Names; none means all.")]
Name = Annotated[str, typer.Argument(help="A service of docker-compose.yml.")]
AsJson = Annotated[bool, typer.Option("--json", help="Machine-readable.")]


def app() -> None:
    """The entry point."""
    # Whoever writes files as root here writes them for an unprivileged account: see local/layout.py.
    try:
        cli()
    except FiredrillError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # Whoever read our output (head, less) has seen enough.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)


def _call(module: str, function: str, *arguments: Any, **options: Any) -> int:
    """Import late, so that `firedrill --help` is quick, and give the exit code."""
    return int(getattr(importlib.import_module(module), function)(*arguments, **options))


def _leave(code: int) -> None:
    if code:
        raise typer.Exit(code)


@cli.command()
def up(
    follow: Annotated[bool, typer.Option(help="Watch until everything is ready.")] = True,
    quiet: Annotated[bool, typer.Option("--quiet", help="No URLs at the end.")] = False,
) -> None:
    """Start the stack, or follow the one that is starting."""
    _leave(_call("firedrill.runtime", "up", Console(), following=follow, quiet=quiet))


@cli.command()
def down() -> None:
    """Stop everything; data stays."""
    _leave(_call("firedrill.runtime", "down", Console()))


@cli.command()
def status(as_json: AsJson = False) -> None:
    """Show what runs; exit code 1 when something is wrong, 3 when nothing runs."""
    _leave(_call("firedrill.runtime", "status", Console(), as_json=as_json))


@cli.command()
def logs(
    names: Names = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many old lines of each.")] = 50,
) -> None:
    """Show the logs of services."""
    _leave(_call("firedrill.runtime", "logs", names or [], following=follow, lines=lines))


@cli.command()
def stop(name: Name) -> None:
    """Stop one service and hold it down."""
    _leave(_call("firedrill.runtime", "steer", "hold", name, Console()))


@cli.command()
def start(name: Name) -> None:
    """Let a service run again that was held down."""
    _leave(_call("firedrill.runtime", "steer", "release", name, Console()))


@cli.command()
def own() -> None:
    """Print for a shell where files, logs and traces of a service of your own go: eval "$(firedrill own)"."""
    _leave(_call("firedrill.runtime", "own"))


@cli.command()
def doctor() -> None:
    """Look for what would keep the stack from starting."""
    _leave(_call("firedrill.runtime", "doctor", Console()))


@cli.command()
def clean(yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False) -> None:
    """Stop the stack and delete its data, after asking."""
    if not yes and not _confirmed("Stop the stack and delete all its data?"):
        raise UsageError("nothing was deleted", "it was not confirmed", "firedrill clean --yes")
    _leave(_call("firedrill.runtime", "clean", Console()))


def _confirmed(question: str) -> bool:
    return sys.stdin.isatty() and typer.confirm(question)


@cli.command()
def build(
    names: Names = None,
    everything: Annotated[bool, typer.Option("--all", help="Also what only the tests use.")] = False,
) -> None:
    """Build the components that are missing; none named means those of the stack."""
    _leave(_call("firedrill.runtime", "build", names or [], Console(), everything=everything))


@cli.command()
def verify(
    deadline: Annotated[float, typer.Option(min=1.0, help="Seconds to wait for signals to arrive.")] = 60.0,
    as_json: AsJson = False,
) -> None:
    """Prove on the running stack that metrics, logs, traces, alerting, panels and links hold data."""
    _leave(_call("firedrill.verify", "main", deadline, as_json))


@cli.command()
def drill(
    names: Names = None,
    report: Annotated[
        Path | None, typer.Option(help="Write the results: .json, .xml (JUnit), .md; no suffix: all three.")
    ] = None,
) -> None:
    """Run drills by alert name, or all of them; without a name, list them."""
    _leave(_call("firedrill.drill", "main", names or [], report))


@cli.command()
def calm(
    minutes: Annotated[float, typer.Option(min=0.0, max=1440.0, help="How long.")] = 30.0,
    past: Annotated[bool, typer.Option("--past", help="Judge the last minutes; do not wait.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write the table there too, as Markdown.")] = None,
) -> None:
    """Watch for false alarms: while nothing is broken no alert may fire; says how near each came."""
    _leave(_call("firedrill.calm", "main", minutes, past, report))


fault = typer.Typer(help="Break something in the running stack, and heal it.", no_args_is_help=True)
cli.add_typer(fault, name="fault")


@fault.command("list")
def fault_list(names: Names = None, as_json: AsJson = False) -> None:
    """Show what can be broken in the running services, with bounds, and what is."""
    _leave(_call("firedrill.fault", "listing", Console(), names or [], as_json=as_json))


@fault.command("set")
def fault_set(
    name: Annotated[str, typer.Argument(help="service/fault, such as fds/cti_slow.")],
    parameters: Annotated[list[str] | None, typer.Argument(help="key=value; none means defaults.")] = None,
    ttl: Annotated[float | None, typer.Option(help="Seconds after which it heals itself.")] = None,
) -> None:
    """Break it; it heals itself after 5 minutes, or after --ttl."""
    _leave(_call("firedrill.fault", "set_fault", Console(), name, parameters or [], ttl))


@fault.command("clear")
def fault_clear(names: Names = None) -> None:
    """Heal service/fault, a whole service, or everything."""
    _leave(_call("firedrill.fault", "clear", Console(), names or []))


@cli.command()
def load(
    shape: Annotated[str, typer.Option(help="See docs: steady, ramp, spike, ...")] = "steady",
    seconds: Annotated[float | None, typer.Option(help="How long; none means the shape's own.")] = None,
    rate: Annotated[float | None, typer.Option(help="At most so many requests a second.")] = None,
    ui: Annotated[bool, typer.Option("--ui", help="Show Locust's page on 127.0.0.1:8089 meanwhile.")] = False,
) -> None:
    """Drive bounded load through the running stack and sum it up."""
    _leave(_call("firedrill.load", "main", shape, seconds, rate, ui))


@cli.command()
def report(
    seconds: Annotated[
        float, typer.Option(min=0.0, help="Watch for so long; 0: the last ten minutes, disk since a report.")
    ] = 0.0,
    budgets: Annotated[
        Path | None, typer.Option(help="Other budgets than those of config/platform/budgets.yml.")
    ] = None,
) -> None:
    """Say how many series, log lines, spans and bytes there are; exit code 1 when a budget is exceeded."""
    _leave(_call("firedrill.report", "main", seconds, budgets))


@cli.command()
def query(
    promql: Annotated[str, typer.Argument(help="A PromQL expression.")],
    since: Annotated[str | None, typer.Option(help="Also draw the course: 15m, 2h, 1d.")] = None,
) -> None:
    """Ask Prometheus."""
    _leave(_call("firedrill.ask", "query", promql, since))


@cli.command()
def search(
    logql: Annotated[str, typer.Argument(help="A LogQL query.")],
    since: Annotated[str, typer.Option(help="How far back: 15m, 2h, 1d.")] = "15m",
    limit: Annotated[int, typer.Option(min=1, help="Most lines.")] = 50,
) -> None:
    """Ask Loki."""
    _leave(_call("firedrill.ask", "search", logql, since, limit))


@cli.command()
def trace(trace_id: Annotated[str, typer.Argument(help="32 hexadecimal digits.")]) -> None:
    """Show a trace as a waterfall."""
    _leave(_call("firedrill.ask", "trace", trace_id))


@cli.command()
def reload() -> None:
    """Check edited rules and configs, then have the running stack take them; what is bad is named by line."""
    _leave(_call("firedrill.reload", "main"))


@cli.command()
def pace() -> None:
    """Check the rules and timings at every pace with promtool and amtool."""
    _leave(_call("firedrill.pace", "main"))


if __name__ == "__main__":
    app()
