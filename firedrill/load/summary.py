"""What stands at the end of a run: a table for people, the same as Markdown and as JSON in its folder."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from firedrill.documents import write
from firedrill.load.alerts import Verdict
from firedrill.load.capacity import PROMISED_TPS, Judged, Search, cost_of_order, limits
from firedrill.load.measures import API_TARGET_SECONDS, FDS_TARGET_SECONDS
from firedrill.load.messages import Plan, Result, Route

COLUMNS = ("route", "requests", "declined", "failed", "P50 ms", "P95 ms", "P99 ms")


@dataclass(frozen=True)
class Seen:
    """The run as Prometheus saw it; seconds, None where nothing was measured."""

    api: str
    api_p95: float | None
    fds_p95: float | None


@dataclass(frozen=True)
class Report:
    """Everything that is told about a run."""

    plan: Plan
    result: Result
    seen: Seen
    judged: tuple[Judged, ...] = ()
    findings: tuple[str, ...] = ()
    alerts: Verdict = field(default_factory=Verdict)

    def lines(self) -> list[str]:
        """The summary as plain text."""
        return [*self._table(), "", *self._rates(), *self._prometheus(), *self._failures(), *self.findings]

    def markdown(self) -> str:
        """The summary as a page."""
        heads = f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * (len(COLUMNS) - 1)}"
        rows = "\n".join(f"| {' | '.join(row)} |" for row in self._rows())
        facts = [*self._rates(), *self._prometheus(), *self._failures(), *self.findings]
        return f"# Load: {self.plan.shape}\n\n{heads}\n{rows}\n\n" + "".join(
            f"- {line.strip()}\n" for line in facts
        )

    def document(self) -> Mapping[str, object]:
        """The summary for programs."""
        alerts = {
            key: sorted(value) if isinstance(value, frozenset) else value
            for key, value in asdict(self.alerts).items()
        }
        judged = [{**asdict(one), "broken": one.broken} for one in self.judged]
        return {**asdict(self), "judged": judged, "alerts": alerts}

    def _rows(self) -> list[tuple[str, ...]]:
        named = [*self.result.routes.items(), ("all", self.result.total)]
        return [_row(name, route) for name, route in named]

    def _table(self) -> list[str]:
        rows = [COLUMNS, *self._rows()]
        widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
        return [
            "  ".join(
                cell.ljust(width) if column == 0 else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
            for row in rows
        ]

    def _rates(self) -> list[str]:
        found = self.result
        time = max(found.elapsed, 0.001)
        asked, achieved = found.asked / time, found.done / time
        lines = [
            f"asked {asked:.1f}/s, achieved {achieved:.1f}/s over {time:.0f} s "
            f"({found.done} of {found.asked} requests"
            + (f"; {found.missed} could not leave in time: every user was waiting)" if found.missed else ")")
        ]
        lines.append(f"intended declines {found.declined}; failures {found.failed}")
        lines.append(f"the load generator itself used {found.cpu / time:.0%} of a core")
        return lines

    def _prometheus(self) -> list[str]:
        return [
            "as Prometheus saw it, background traffic included: "
            f"{self.seen.api} P95 {_against(self.seen.api_p95, API_TARGET_SECONDS)}, "
            f"FDS P95 {_against(self.seen.fds_p95, FDS_TARGET_SECONDS)}"
        ]

    def _failures(self) -> list[str]:
        failures = [f"failed: {text} ({count} times)" for text, count in self.result.failures.items()]
        return [*failures, *(f"error of the generator: {text}" for text in self.result.errors)]


def judged_line(one: Judged) -> str:
    """A step of the search in one line."""
    told = f"held   {one.rate:6.1f}/s" if one.held else f"broke  {one.rate:6.1f}/s"
    payments = "" if one.payments is None else f"  {one.payments:.1f} payments/s"
    return (
        f"{told}  achieved {one.achieved:.1f}/s{payments}  API P95 {_time(one.api_p95)}  "
        f"FDS P95 {_time(one.fds_p95)}  errors {one.errors:.2%}"
        + (f"  ({'; '.join(one.broken)})" if one.broken else "")
    )


def search_findings(search: Search) -> tuple[str, ...]:
    """What the capacity search found, in lines."""
    best, broken = search.best, search.first_broken
    lines = [judged_line(one) for one in search.judged]
    if best is None:
        lines.append("no step held: not even the first rate" if search.judged else "no step was completed")
    else:
        payments = best.payments or 0.0
        lines.append(
            f"last rate that held: {best.achieved:.1f} requests/s with {payments:.1f} payments/s, which is "
            f"{payments / PROMISED_TPS:.1%} of the promised {PROMISED_TPS:.0f} TPS "
            f"(counting every request as a transaction: {best.achieved / PROMISED_TPS:.1%})"
        )
        lines.append(cost_of_order(best))
    if broken is not None:
        lines.append(f"what limits: {limits(broken)}")
    elif best is not None:
        lines.append("nothing broke within the time: give it more (SECONDS=…) or begin higher (RATE=…)")
    return tuple(lines)


def write_summary(folder: Path, report: Report) -> None:
    """summary.json and summary.md in `folder`. Raises EnvironmentProblem when they cannot be written."""
    texts = {"summary.json": json.dumps(report.document(), indent=2) + "\n", "summary.md": report.markdown()}
    for name, text in texts.items():
        write(folder / name, text)


def _row(name: str, route: Route) -> tuple[str, ...]:
    counts = (route.requests, route.declined, route.failed)
    times: Sequence[float | None] = (route.p50_ms, route.p95_ms, route.p99_ms)
    shown = ("-" if value is None else f"{value:.0f}" if value >= 10 else f"{value:.1f}" for value in times)
    return (name, *map(str, counts), *shown)


def _against(value: float | None, target: float) -> str:
    if value is None:
        return "unknown"
    return f"{_time(value)} ({'within' if value <= target else 'OVER'} {_time(target)})"


def _time(value: float | None) -> str:
    return "unknown" if value is None else f"{value * 1000:.0f} ms"
