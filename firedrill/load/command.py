"""`firedrill load`: runs a shape against the running stack and says what it achieved."""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import FrameType
from typing import Protocol, TextIO

from firedrill.clients import Prometheus, open_http
from firedrill.errors import EnvironmentProblem, FiredrillError
from firedrill.load.alerts import Alerts, PrometheusAlerts, Verdict, announcement, listed, verdict
from firedrill.load.capacity import BEFORE_SECONDS, Search, busy_before
from firedrill.load.display import Progress
from firedrill.load.generator import Generator
from firedrill.load.measures import Meter, PrometheusMeter
from firedrill.load.messages import Plan, Result, Tick
from firedrill.load.summary import Report, Seen, judged_line, search_findings, write_summary

PROJECT = Path(__file__).resolve().parents[2]
TARGETS = ("ecommerce", "fds", "judgment", "workflow", "admin")
UI_PORT = 8089
INTERRUPTED = 130  # what a shell reports after Ctrl-C


class RunningStack(Protocol):
    """The part of firedrill.stack.Stack that load needs."""

    @property
    def started(self) -> frozenset[str]: ...
    @property
    def pace(self) -> str: ...
    def url(self, service: str, container_port: int | None = None) -> str: ...


def main(shape: str, seconds: float | None, rate: float | None, ui: bool) -> int:
    """Run `shape` for `seconds` with at most `rate` requests a second; None means the shape's own.

    With `ui`, Locust's page is on 127.0.0.1:8089 meanwhile and a minute longer. Returns 0 when nothing failed
    but what was meant to be refused (a capacity search: when a rate held) and the alerts fired that the
    shape announces and no others, 1 otherwise, 130 after Ctrl-C or
    SIGTERM, with the summary of what was done. Raises NotRunning, and UsageError for an unknown shape, a
    number out of bounds or a taken port.
    """
    from firedrill.stack import current  # noqa: PLC0415 - reads the project's files; importing must not

    return run(
        current(),
        Asked(shape, seconds, rate, UI_PORT if ui else None),
        project=PROJECT,
        reports=PROJECT / "reports" / "load",
        stream=sys.stdout,
    )


@dataclass(frozen=True)
class Asked:
    """What the user asked for."""

    shape: str
    seconds: float | None = None
    rate: float | None = None
    ui_port: int | None = None

    def arguments(self, folder: Path) -> list[str]:
        """The generator's command line."""
        given = {"seconds": self.seconds, "rate": self.rate, "ui-port": self.ui_port}
        named = [f"--{name}={value:g}" for name, value in given.items() if value is not None]
        return [f"--shape={self.shape}", f"--folder={folder}", *named]


@dataclass(frozen=True)
class Watch:
    """The alerts of a run at the stack's pace; a silent Prometheus ends nothing."""

    alerts: Alerts
    pace: str
    before: frozenset[str] | None

    @classmethod
    def begin(cls, alerts: Alerts, pace: str) -> "Watch":
        """Note what fires before the run."""
        try:
            return cls(alerts, pace, alerts.firing())
        except FiredrillError:
            return cls(alerts, pace, None)

    def remark(self) -> str:
        """What a reader must know before, or nothing."""
        if not self.before:
            return ""
        return f"note: these alerts fire already, and are not held against the run: {listed(self.before)}"

    def verdict(self, plan: Plan, *, began: float, interrupted: bool) -> Verdict:
        """After the run that began at a unix second; see alerts.verdict."""
        if interrupted or self.before is None:
            return Verdict(
                why="the run was interrupted" if interrupted else "Prometheus was silent before it"
            )
        return verdict(
            plan, self.alerts, before=self.before, pace=self.pace, elapsed=lambda: time.time() - began
        )


@dataclass
class Heard:
    """What the generator has told so far."""

    watch: Watch
    plan: Plan | None = None
    result: Result | None = None
    search: Search | None = None
    interrupted: bool = False
    before: str = ""
    verdict: Verdict = field(default_factory=Verdict)
    began: float = field(default_factory=time.time)


def run(stack: RunningStack, asked: Asked, *, project: Path, reports: Path, stream: TextIO) -> int:
    """Run what is asked on `stack`, keep the reports under `reports`; see `main`."""
    urls = {name: stack.url(name) for name in TARGETS if name in stack.started}
    if not urls:
        raise EnvironmentProblem(
            "there is nothing to send load to", "no service with traffic runs", "firedrill status"
        )
    folder = _folder(reports, asked.shape)
    with open_http() as http:
        prometheus = Prometheus(stack.url("prometheus"), http=http)
        meter = PrometheusMeter(prometheus, started=stack.started)
        heard = Heard(Watch.begin(PrometheusAlerts(prometheus), stack.pace), before=_before(meter))
        with (
            Generator(asked.arguments(folder), project=project, urls=urls) as generator,
            ending(generator, heard),
        ):
            stream.writelines(f"{text}\n" for text in (heard.before, heard.watch.remark()) if text)
            _listen(generator, heard, meter, stream, folder)
    if heard.interrupted or heard.result is None:
        return INTERRUPTED
    return 0 if _good(heard) else 1


@contextmanager
def ending(generator: Generator, heard: Heard) -> Iterator[None]:
    """Ctrl-C, SIGTERM and a lost terminal end the run, which still gives its summary; the second at once."""

    def end(number: int, frame: FrameType | None) -> None:
        if heard.interrupted:
            generator.kill()
        heard.interrupted = heard.result is None  # after it, only the page is still there
        generator.stop()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, end) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _before(meter: Meter) -> str:
    try:
        return busy_before(meter.processors(at=time.time(), window=BEFORE_SECONDS))
    except FiredrillError:
        return ""  # a silent Prometheus is told at the end


def _good(heard: Heard) -> bool:
    if not heard.verdict.good:
        return False
    if heard.search is not None:
        return heard.search.best is not None
    return heard.result is not None and heard.result.clean


def _listen(generator: Generator, heard: Heard, meter: Meter, stream: TextIO, folder: Path) -> None:
    progress: Progress | None = None
    for line in generator.lines():
        if line["kind"] == "plan":
            heard.plan = Plan.of(line)
            heard.search = Search(heard.plan.steps, meter) if heard.plan.steps else None
            stream.write(_opening(heard.plan) + "\n")
        if heard.plan is None:
            continue
        progress = progress or Progress(heard.plan, stream, terminal=stream.isatty())
        if line["kind"] == "tick":
            _tick(Tick.of(line), heard, progress, generator)
        elif line["kind"] == "result":
            progress.close()
            heard.result = Result.of(line)
            _tell(heard, meter, stream, folder)


def _tick(tick: Tick, heard: Heard, progress: Progress, generator: Generator) -> None:
    progress.see(tick)
    if heard.search is None or heard.search.over:
        return
    judged = heard.search.see(tick)
    if judged is not None:
        progress.say(judged_line(judged))
    if heard.search.over:
        generator.stop()


def _tell(heard: Heard, meter: Meter, stream: TextIO, folder: Path) -> None:
    """The summary, on the screen and in the folder; a silent Prometheus does not hide the rest."""
    if heard.plan is None or heard.result is None:
        return
    shop = getattr(meter, "shop", True)
    seen, notes = Seen("API" if shop else "fds API", None, None), [heard.before] if heard.before else []
    try:
        if not meter.settle(heard.result.unix):
            notes.append(
                "note: some targets were not scraped after the run; Prometheus's figures may lack its end"
            )
        window = {"at": time.time(), "window": max(1.0, heard.result.unix - heard.began)}
        seen = Seen(seen.api, meter.api_p95(**window), meter.fds_p95(**window))
        if heard.search is not None and not heard.search.over:
            heard.search.finish()
        heard.verdict = heard.watch.verdict(heard.plan, began=heard.began, interrupted=heard.interrupted)
    except FiredrillError as error:
        notes.append(f"note: {error.what}: {error.why}")
    judged = tuple(heard.search.judged) if heard.search else ()
    findings = (*(search_findings(heard.search) if heard.search else ()), *notes, *heard.verdict.lines())
    report = Report(heard.plan, heard.result, seen, judged, findings, heard.verdict)
    write_summary(folder, report)
    stream.write("\n".join([*report.lines(), f"reports: {folder}"]) + "\n")
    if heard.plan.ui_port:
        stream.write("Locust's page stays for a minute; Ctrl-C ends it now\n")
    stream.flush()


def _opening(plan: Plan) -> str:
    mix = ", ".join(f"{name} {part:.0%}" for name, part in plan.kinds.items())
    text = f"load {plan.shape}: {plan.seconds:.0f} s, {'from' if plan.steps else 'up to'} "
    text += f"{plan.steps[0].rate if plan.steps else plan.rate:g} requests/s; of them {mix}"
    text += f"\n{announcement(plan)}"
    return text + (f"\nLocust's page: http://127.0.0.1:{plan.ui_port}/" if plan.ui_port else "")


def _folder(reports: Path, shape: str) -> Path:
    safe = "".join(letter for letter in shape if letter.isalnum() or letter in "-_")[:40] or "load"
    return reports / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{safe}"
