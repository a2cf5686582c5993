"""Makes the report of the running stack, prints and keeps it, and says whether every budget is kept."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
from rich.console import Console

from firedrill.clients import Trace, open_http
from firedrill.documents import write
from firedrill.errors import NotRunning, UsageError

from . import disk, flow, series, show
from .budgets import FILE, read_budgets
from .live import LiveStack, RunningStack
from .model import Budgets, Figure, Report

WINDOW_SECONDS = 600.0
LEAST_SECONDS = 30.0  # of scrapes, and of watching, before a rate means something
HTTP_SECONDS = 30.0  # every series at once is an answer of some megabytes
LOOKS = "disk-looks.json"


def main(seconds: float = 0.0, budgets: Path | None = None) -> int:
    """Report on the running stack; 0 when every budget is kept, 1 when one is exceeded.

    With `seconds` it watches for so long and rates are those of that time; without, rates are those of the
    last ten minutes, and disk is compared with the look of an earlier report.
    Raises NotRunning, TopologyError for a budget that cannot be used, BackendError.
    """
    from firedrill.stack import current  # noqa: PLC0415 - the runtime is heavy, and tests report without it

    stack = current()
    found = read_budgets(budgets or stack.root / FILE)
    with open_http(timeout_seconds=HTTP_SECONDS) as http:
        folder = stack.root / "reports" / "volume"
        return run(Console(), stack, found, folder=folder, http=http, seconds=seconds)


def run(
    console: Console,
    stack: RunningStack,
    budgets: Budgets,
    *,
    folder: Path,
    http: httpx.Client,
    seconds: float = 0.0,
    clock: Callable[[], float] = time.time,
    pause: Callable[[float], None] = time.sleep,
) -> int:
    """As main; the report is kept in `folder` as report.json and report.md."""
    if 0 < seconds < LEAST_SECONDS:
        raise UsageError(
            f"{seconds:g} s are too short", "a rate needs some scrapes", "firedrill report --seconds 60"
        )
    live = LiveStack(stack, http=http)
    if seconds > 0:
        _look(stack, folder / LOOKS, clock())
        console.print(f"watching for {seconds:.0f} s", highlight=False)
        pause(seconds)
    longest = seconds or WINDOW_SECONDS
    report = made(live, stack, budgets, looks=folder / LOOKS, at=clock(), longest=longest)
    show.print_report(console, report)
    for name, text in (("report.json", show.as_json(report)), ("report.md", show.as_markdown(report))):
        write(folder / name, text)
    console.print(f"report: {folder / 'report.md'}", highlight=False, soft_wrap=True)
    return 1 if report.exceeded else 0


def made(
    live: LiveStack, stack: RunningStack, budgets: Budgets, *, looks: Path, at: float, longest: float
) -> Report:
    """The figures at unix second `at`, rates over `longest` seconds. Raises NotRunning for a young stack."""
    window = live.seen_seconds(longest)
    if window < LEAST_SECONDS:
        raise NotRunning(
            "the stack has not run long enough for a report",
            f"Prometheus has scraped for {window:.0f} s, {LEAST_SECONDS:.0f} are needed",
            "try again in a minute",
        )
    figures = (
        *_cardinality(live, budgets, window, at),
        *_volume(live, budgets, window, at),
        *_disk(stack, budgets, looks, at),
    )
    return Report(at, window, figures, tuple(_remarks(stack)))


def _cardinality(live: LiveStack, budgets: Budgets, window: float, at: float) -> Iterator[Figure]:
    now = live.series(at=at)
    before = live.series(at=at - window / 2)
    yield from series.series_figures(now, services=live.services, budgets=budgets)
    yield from series.metric_figures(now, services=live.services, budgets=budgets)
    jobs = frozenset(job for job, service in live.services.items() if service in live.slices)
    yield from series.label_figures(now, before, jobs=jobs, budgets=budgets, seconds=window / 2)
    for measure, subject, value in (
        ("samples_per_second", "prometheus", live.samples_per_second(window)),
        ("log_streams", "loki", live.log_streams()),
    ):
        note = "not yet" if value is None else ""
        yield Figure(measure, subject, value, budgets.of(measure, subject), note)


def _volume(live: LiveStack, budgets: Budgets, window: float, at: float) -> Iterator[Figure]:
    found = live.flow(window, at=at)
    yield from flow.log_figures(found, budgets)
    traces: dict[str, Trace] = {}
    for service in live.slices:
        for trace in live.traces(service, start=at - window, end=at):
            traces[trace.trace_id] = trace
    yield from flow.request_spans(traces.values(), live.slices, budgets)
    for service in live.slices:
        yield Figure("span_names", service, live.span_names(service), budgets.of("span_names", service))
    yield from flow.span_figures(found, budgets)
    for name, journey in budgets.journeys.items():
        whole = live.journeys(journey, start=at - window, end=at)
        yield flow.journey_spans(name, whole, budgets)


def _disk(stack: RunningStack, budgets: Budgets, file: Path, at: float) -> Iterator[Figure]:
    if stack.runtime == "docker":
        return
    earlier = disk.remembered(file)
    latest = _look(stack, file, at)
    yield from disk.disk_figures(disk.first_of(earlier, latest), latest, budgets)


def _look(stack: RunningStack, file: Path, at: float) -> disk.Look:
    """Look at the stores now and remember it."""
    data = stack.state_folder / "data"
    began = min((one.since for one in stack.state().values()), default=0.0)
    stores = [name for name in disk.STORES if name in stack.started]
    look = disk.Look(at, f"{stack.state_folder.name} {began:.0f}", disk.sizes(data, stores))
    disk.remember(file, disk.remembered(file), look)
    return look


def _remarks(stack: RunningStack) -> Sequence[str]:
    traffic = "what a day comes to is meant for the background traffic; a drill or a load in the time is more"
    if stack.runtime == "docker":
        return (
            traffic,
            "disk is not measured here: the volumes belong to the engine (docker system df -v)",
        )
    return (
        traffic,
        "in its first hours a store grows faster than later: what comes in is logged, and compacted "
        "afterwards; PostgreSQL's own log is bounded and not counted",
    )
