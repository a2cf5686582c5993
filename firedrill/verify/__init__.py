"""Asserts against the running stack: targets, metrics, logs, traces, alerting, panels and links hold data."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, wait

import httpx
from rich.console import Console

from firedrill.clients import open_http
from firedrill.verify.check import Check, Outcome
from firedrill.verify.plan import make_plan
from firedrill.verify.report import Display, document, summary
from firedrill.verify.run import PATIENCE_SECONDS, Progress, Runner
from firedrill.verify.seams import RunningStack

DEADLINE_SECONDS = 60.0


def main(deadline: float = DEADLINE_SECONDS, as_json: bool = False) -> int:
    """Verify the running stack within `deadline` seconds; 0 when all checks passed, 1 otherwise.

    Raises NotRunning without a stack, TopologyError on a probe or target file that cannot be used.
    """
    from firedrill import stack  # noqa: PLC0415  # the runtime is heavy, and tests verify without it

    with open_http() as http:
        return verify(stack.current(), deadline_seconds=deadline, json_wanted=as_json, http=http)


def verify(
    stack: RunningStack,
    *,
    deadline_seconds: float,
    json_wanted: bool,
    http: httpx.Client,
    console: Console | None = None,
    interval: float = 0.5,
    patience_seconds: float = PATIENCE_SECONDS,
) -> int:
    """Verify `stack` and print the result to `console`; 0 when all checks passed, 1 otherwise."""
    console = console or Console(markup=False, highlight=False)
    plan = make_plan(stack, http=http, since=time.time())
    progress = Progress(plan.checks)
    runner = Runner(
        stack.state, deadline_seconds=deadline_seconds, patience_seconds=patience_seconds, interval=interval
    )
    if json_wanted:
        outcomes = runner.run(plan.checks, progress)
        console.file.write(
            document(outcomes, plan.not_checked, plan.panels.rows(), seconds=runner.seconds()) + "\n"
        )
    else:
        outcomes = _shown(plan.checks, runner, progress, console)
        summary(console, outcomes, plan.not_checked, plan.panels.rows(), seconds=runner.seconds())
    return 0 if all(one.result == "passed" for one in outcomes) else 1


def _shown(checks: Sequence[Check], runner: Runner, progress: Progress, console: Console) -> list[Outcome]:
    """Run the checks in the background and show them until all have ended."""
    display = Display(console, progress, runner)
    with ThreadPoolExecutor(max_workers=1) as pool:
        work = pool.submit(runner.run, checks, progress)
        with display.live():
            display.print_new()
            while not wait([work], timeout=0.25).done:
                display.print_new()
        display.print_new()
        return work.result()
