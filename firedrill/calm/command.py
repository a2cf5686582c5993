"""`firedrill calm`: watches the running stack, or looks back, and says which alerts fired for no reason."""

import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.text import Text

from firedrill.clients import open_http
from firedrill.documents import write
from firedrill.errors import CheckFailed, EnvironmentProblem, FiredrillError, NotRunning, UsageError

from .live import LiveStack, RunningStack
from .show import as_json, as_markdown, print_findings

MINUTES = 30.0
LEAST_SECONDS = 30.0  # of scrapes and evaluations, before their share means something
LOOK_SECONDS = 5.0
TELL_SECONDS = 300.0
HTTP_SECONDS = 30.0
INTERRUPTED = 130  # what a shell reports after Ctrl-C


def main(minutes: float = MINUTES, past: bool = False, report: Path | None = None) -> int:
    """Watch for `minutes` that no alert fires while nothing is broken; with `past`, look back on them.

    With `report` the Markdown goes there too. Returns 0 when it was calm, 1 when an alert fired or somebody
    was told, or when the time does not count (a fault was set, rules were not evaluated, no traffic), 130
    after Ctrl-C with what was seen until then. Raises NotRunning, BackendError, CheckFailed when it is not
    calm to begin with.
    """
    from firedrill.stack import current  # noqa: PLC0415 - the runtime is heavy, and tests watch without it

    stack = current()
    with open_http(timeout_seconds=HTTP_SECONDS) as http:
        files = [stack.root / "reports" / "calm" / "calm.md", *([report] if report else [])]
        return run(Console(), stack, LiveStack(stack, http=http), minutes=minutes, past=past, files=files)


def run(
    console: Console,
    stack: RunningStack,
    live: LiveStack,
    *,
    minutes: float,
    past: bool,
    files: list[Path],
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """As main; writes `files`, beside the first of them also the JSON."""
    seconds = minutes * 60
    if seconds < LEAST_SECONDS:
        raise UsageError(
            f"{minutes:g} minutes are too short", f"rules need {LEAST_SECONDS:g} s at the least", "MINUTES=5"
        )
    if "traffic" not in stack.started:
        raise EnvironmentProblem(
            "silence without traffic proves nothing",
            "the background traffic does not run",
            "make up TRAFFIC=on",
        )
    now, interrupted = clock(), False
    if past:
        began = live.evaluated_from(max(now - seconds, live.up_since()), now)
        if now - began < LEAST_SECONDS:
            raise NotRunning(
                "there is not enough to look back on",
                f"rules are evaluated since {now - began:.0f} s",
                "try again soon",
            )
    else:
        began = now
        _begin(live)
        interrupted = _watch(console, live, end=now + seconds, clock=clock, pause=pause)
    findings = live.findings(began, clock())
    print_findings(console, findings)
    for path in files:
        write(path, as_markdown(findings))
    write(files[0].with_suffix(".json"), as_json(findings))
    console.print(f"report: {files[0]}", highlight=False, soft_wrap=True)
    if interrupted:
        return INTERRUPTED
    return 0 if findings.calm else 1


def _begin(live: LiveStack) -> None:
    """Raises CheckFailed when something is broken, or an alert is there already."""
    if faults := live.faults():
        raise CheckFailed(
            "this is no calm to watch", f"set is {', '.join(sorted(faults))}", "heal it: make heal"
        )
    if active := live.active():
        raise CheckFailed(
            "it is not calm now",
            f"there is {', '.join(sorted(active))}",
            "wait until it has ended; firedrill query 'ALERTS' shows it",
        )


def _watch(
    console: Console,
    live: LiveStack,
    *,
    end: float,
    clock: Callable[[], float],
    pause: Callable[[float], None],
) -> bool:
    """Tell what comes up until `end`; True when the user ended it before.

    A Prometheus that is silent meanwhile ends nothing: what it did not evaluate is missing at the end.
    """
    console.print(
        f"watching for {(end - clock()) / 60:g} minutes; Ctrl-C judges what has been until then",
        highlight=False,
    )
    seen: frozenset[str] = frozenset()
    told = clock()
    try:
        while (now := clock()) < end:
            active = _active(live)
            for name in sorted(active - seen):
                console.print(Text(f"{(end - now) / 60:.1f} minutes left: {name}"))
            seen = active
            if now - told >= TELL_SECONDS:
                console.print(f"{(end - now) / 60:.0f} minutes left", highlight=False)
                told = now
            pause(min(LOOK_SECONDS, end - now))
    except KeyboardInterrupt:
        return True
    return False


def _active(live: LiveStack) -> frozenset[str]:
    try:
        return live.active()
    except FiredrillError as error:
        return frozenset({f"nobody knows: {error.what}"})
