"""Searches for everything that was accepted, written and traced, and says what must not be missing."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from firedrill.local.layout import Layout
from tests.integration.resilience.evidence import (
    Line,
    accepted_things,
    lines_found,
    lines_written,
    spans_stored,
)
from tests.integration.resilience.killing import QUEUED_SECONDS, SERVICES, Death
from tests.integration.resilience.load import MIX, Answer
from tests.integration.resilience.table import Row

STORES = ("postgres", "redis")  # without them a service may say 503
LONGEST_ANSWER_SECONDS = 5.0
# A killed process takes along what is in its memory: log lines for 50 ms, and spans.
LINES_IN_MEMORY_SECONDS = 0.5


@dataclass
class Found:
    """What is there of one death's load."""

    death: Death
    missing_orders: list[str]
    missing_others: list[str]
    missing_lines: list[str]
    unwritten: list[Answer]
    missing_traces: list[Answer]
    row: Row


class Search:
    """Looks for everything that was accepted, written and traced; `folder` holds the services' log files."""

    def __init__(self, live: Any, *, folder: Path | None = None) -> None:
        self._live, self._view = live, live.view()
        self._folder = folder or Layout(self._view.state_folder).volume("service-logs")
        self._written: dict[str, list[Line]] = {
            service: list(lines_written(self._folder, service)) for service in SERVICES
        }

    def arrived(self, death: Death) -> bool:
        """Whether the lines and spans of a death are stored, as far as they were written and sent."""
        return not self._lines(death)[1] and not self._untraced(death, death.answers)

    def of(self, death: Death) -> Found:
        """Search for what belongs to one death."""
        things = accepted_things(death.answers)
        missing = {
            kind: [path for one in many if (path := self._absent(*one))] for kind, many in things.items()
        }
        written, lines_lost = self._lines(death)
        answered = [one for one in death.answers if one.trace_id]
        ids = {line.request_id for lines in self._written.values() for line in lines}
        traces_lost = self._untraced(death, answered)
        row = Row(
            death.component,
            len(death.answers),
            sum(not one.accepted for one in death.answers if one.service == death.component),
            sum(not one.accepted for one in death.of_others()),
            (len(things["orders"]), len(things["orders"]) - len(missing["orders"])),
            (written, written - len(lines_lost)),
            (len(answered), len(answered) - len(traces_lost)),
            int(sum(death.lost.values())),
            max((one.seconds for one in death.of_others()), default=0.0),
            death.ready - death.killed,
            death.good() - death.killed,
        )
        return Found(
            death,
            missing["orders"],
            missing["instances"] + missing["reviews"],
            lines_lost,
            [one for one in answered if one.request_id not in ids],
            traces_lost,
            row,
        )

    def _absent(self, service: str, path: str) -> str:
        """The path again when nothing is there."""
        status = self._live.http.get(self._view.url(service) + path).status_code
        return "" if status == 200 else f"{status} for {service} {path}"

    def _lines(self, death: Death) -> tuple[int, list[str]]:
        """How many different lines were written meanwhile, and those that Loki does not have."""
        count, lost = 0, []
        for service, lines in self._written.items():
            texts = {line.text for line in lines if death.began <= line.at < death.ended}
            there = lines_found(self._live.loki, service, start=death.began - 1, end=death.ended + 1)
            count += len(texts)
            lost += sorted(texts - there)
        return count, lost

    def _untraced(self, death: Death, answered: list[Answer]) -> list[Answer]:
        """The answered requests without a stored span of the service that answered."""
        stored = {
            service: {
                trace
                for trace, _ in spans_stored(
                    self._live.jaeger, service, start=death.began - 1, end=death.ended + 1
                )
            }
            for service in set(MIX)
        }
        return [one for one in answered if one.trace_id and one.trace_id not in stored[one.service]]


def faults_of(found: Found, kills: Mapping[str, float]) -> Iterator[str]:
    """What must not be, in words; `kills` says when each component was killed."""
    death = found.death
    name = death.component
    for missing in found.missing_orders + found.missing_others:
        yield f"{name}: accepted, and not there: {missing}"
    for line in found.missing_lines[:5]:
        yield f"{name}: written, and not in Loki: {line[:300]}"
    for one in death.of_others():
        allowed = one.accepted or (one.status == 503 and name in STORES)
        if not allowed:
            yield f"{name}: {one.service} answered {one.status} {one.trouble} {dict(one.body)}"
        if one.seconds > LONGEST_ANSWER_SECONDS:
            yield f"{name}: {one.service} took {one.seconds:.1f} s to answer {one.status}"
    for one in found.unwritten:
        if not taken_along(kills, one, LINES_IN_MEMORY_SECONDS):
            yield f"{name}: {one.service} answered {one.request_id} and wrote no line"
    uncounted: dict[str, int] = {}
    for one in found.missing_traces:
        if not taken_along(kills, one, QUEUED_SECONDS):
            uncounted[one.service] = uncounted.get(one.service, 0) + 1
    for service, count in uncounted.items():
        if count > death.lost[service]:
            lost = death.lost[service]
            yield f"{name}: {count} traces of {service} are not stored, {lost:g} spans counted lost"


def taken_along(kills: Mapping[str, float], answer: Answer, seconds: float) -> bool:
    """Whether its process was killed so soon after the answer that it still had to write what it did."""
    killed = kills.get(answer.service)
    return killed is not None and -1.0 <= killed - answer.at <= seconds
