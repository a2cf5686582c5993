"""A panel's data: its queries asked, with what came and what went wrong."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from console.boards.asking import Window, fill, window
from console.boards.document import Annotation, Board, Panel, Target, Variable
from console.boards.series import Named, Period, Sample, last_moment, on_grid, periods, samples, unique
from console.sandbox.secret import is_hidden
from console.sources import SourceError, Sources
from firedrill.clients.loki import LogLine
from firedrill.clients.prometheus import Series

# An empty panel looks so far back for its last data, as coarsely as this; in seconds.
LOOK_BACK, LOOK_BACK_STEP, LOOK_BACK_TTL = 86_400.0, 120.0, 60.0
TABLE, LOGS = "table", "logs"


@dataclass(frozen=True)
class Row:
    """A row of a table: the labels of a series, and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True)
class Data:
    """What a panel shows; `error` is the backend's, and `since` the last time with data (unix seconds)."""

    shown: Window
    series: tuple[Named, ...] = ()
    samples: tuple[Sample, ...] = ()
    rows: tuple[Row, ...] = ()
    lines: tuple[LogLine, ...] = ()
    error: SourceError | None = None
    since: float | None = None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        drawn = any(value is not None for one in self.series for value in one.values)
        return not (drawn or self.rows or self.lines)


class Asker:
    """Asks for one viewer's choice of time and variables; answers are shared with whoever asks the same."""

    def __init__(self, sources: Sources, shown: Window, chosen: Mapping[str, str], *, ttl: float) -> None:
        self._sources, self.shown, self._chosen, self._ttl = sources, shown, chosen, ttl

    async def panel(self, panel: Panel) -> Data:
        """The panel's data; errors of backends are in it."""
        try:
            data = await self._answered(panel)
            if data.empty and panel.type not in {TABLE, LOGS}:
                data = replace(data, since=await self._last_data(panel.targets))
        except SourceError as error:
            return Data(self.shown, error=error)
        return data

    async def marks(self, annotations: Sequence[Annotation]) -> list[Period]:
        """What the graphs mark: alerts that fired, faults that were set."""
        answers = await asyncio.gather(*(self._series(one.expr) for one in annotations))
        found = [
            period
            for one, series in zip(annotations, answers, strict=True)
            for period in periods(
                one.name, _told(series), self.shown, colour=one.colour, titled=one.title, text=one.text
            )
        ]
        return sorted(found, key=lambda period: period.start)

    async def _answered(self, panel: Panel) -> Data:
        if panel.type == LOGS:
            found = await asyncio.gather(*(self._lines(target) for target in panel.targets))
            lines = sorted((line for one in found for line in one), key=lambda line: -line.time)
            return Data(self.shown, lines=tuple(lines))
        if panel.type == TABLE:
            rows = [row for target in panel.targets for row in await self._rows(target)]
            return Data(self.shown, rows=tuple(rows))
        asked = await asyncio.gather(*(self._named(target) for target in panel.targets))
        exemplars = await asyncio.gather(
            *(self._samples(target) for target in panel.targets if target.exemplars)
        )
        return Data(
            self.shown,
            series=tuple(unique(one for named in asked for one in named)),
            samples=tuple(one for found in exemplars for one in found),
        )

    async def _named(self, target: Target) -> list[Named]:
        if target.instant:
            rows = await self._rows(target)
            series = [Series(row.labels, ((self.shown.end, row.value),)) for row in rows]
            return on_grid(series, target.legend, self.shown)
        return on_grid(await self._series(target.expr), target.legend, self.shown)

    async def _series(self, expr: str) -> tuple[Series, ...]:
        answer = await self._sources.prometheus.query_range(
            fill(expr, self.shown, self._chosen),
            start=self.shown.start,
            end=self.shown.end,
            step=self.shown.step,
            ttl=self._ttl,
        )
        return answer.series

    async def _rows(self, target: Target) -> list[Row]:
        expr = fill(target.expr, self.shown, self._chosen)
        answer = await self._sources.prometheus.query(expr, at=self.shown.end, ttl=self._ttl)
        return [Row(one.labels, one.points[-1][1]) for one in answer.series]

    async def _samples(self, target: Target) -> tuple[Sample, ...]:
        expr = fill(target.expr, self.shown, self._chosen)
        found = await self._sources.prometheus.exemplars(
            expr, start=self.shown.start, end=self.shown.end + self.shown.step, ttl=self._ttl
        )
        return samples(found, self.shown)

    async def _lines(self, target: Target) -> Sequence[LogLine]:
        answer = await self._sources.loki.search(
            fill(target.expr, self.shown, self._chosen),
            start=self.shown.start,
            end=self.shown.end + self.shown.step,
            limit=target.most_lines,
            ttl=self._ttl,
        )
        return answer.lines

    async def _last_data(self, targets: Sequence[Target]) -> float | None:
        """When one of the queries last had a value; None when not within a day."""
        end = self.shown.end - self.shown.end % LOOK_BACK_STEP
        back = Window(end - LOOK_BACK, end, LOOK_BACK_STEP, 2 * LOOK_BACK_STEP)
        found = []
        for target in targets:
            expr = fill(target.expr, back, self._chosen)
            answer = await self._sources.prometheus.query_range(
                expr, start=back.start, end=back.end, step=back.step, ttl=LOOK_BACK_TTL
            )
            at = last_moment(on_grid(answer.series, "", back), back)
            found += [at] if at is not None else []
        return max(found, default=None)


async def values(sources: Sources, variable: Variable, shown: Window) -> tuple[str, ...]:
    """What a variable can be; empty when its backend does not answer."""
    try:
        if variable.metric is None:
            return await sources.loki.label_values(variable.label, start=shown.start, end=shown.end)
        return await sources.prometheus.label_values(variable.metric, variable.label)
    except SourceError:
        return ()


async def window_for(
    sources: Sources, board: Board, span: float | None, *, now: float, end: float | None
) -> Window:
    """The time that a board shows now; with Prometheus away, as if it scraped at production pace."""
    try:
        scrape = await sources.prometheus.scrape_seconds()
    except SourceError:
        scrape = 15.0
    return window(span or board.span, now=now, scrape=scrape, end=end)


def _told(series: Sequence[Series]) -> list[Series]:
    """Without the fault of a sandbox run that goes on, which is for the trainee to find."""
    return [
        one for one in series if not is_hidden(one.labels.get("instance", ""), one.labels.get("fault", ""))
    ]
