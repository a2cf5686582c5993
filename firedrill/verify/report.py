"""How verify tells what it found: a live table or lines while it runs, a summary or JSON at the end."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from firedrill.ask.text import clean
from firedrill.verify.asked import Row
from firedrill.verify.check import NotChecked, Outcome
from firedrill.verify.run import Progress, Runner


class Display:
    """Shows the checks while they run: a live table in a terminal, a line per ended check elsewhere."""

    def __init__(self, console: Console, progress: Progress, runner: Runner) -> None:
        self._console, self._progress, self._runner = console, progress, runner
        self._printed = 0
        self._next_word = 0.0

    def live(self) -> Live:
        """The context in which the table is kept up to date; in a pipe it shows nothing."""
        return Live(
            get_renderable=self._table,
            console=self._console,
            refresh_per_second=4,
            transient=True,
            auto_refresh=self._console.is_terminal,
        )

    def print_new(self) -> None:
        """In a pipe: a line for each newly ended check, and every 10 s the names of those that have not."""
        if self._console.is_terminal:
            return
        if self._runner.seconds() >= self._next_word:
            self._next_word += 10.0
            waiting = self._progress.waiting()
            names = f": {', '.join(waiting)}" if self._next_word > 10.0 and waiting else ""
            head = f"{self._runner.left():.0f} s left for {len(waiting)} checks"
            self._console.print(Text(head + names), soft_wrap=True)
        outcomes = self._progress.outcomes()
        for outcome in outcomes[self._printed :]:
            self._console.print(line_of(outcome), soft_wrap=True)
        self._printed = len(outcomes)

    def _table(self) -> Group:
        if not self._console.is_terminal:
            return Group()
        table = Table(box=None, padding=(0, 1), show_header=False)
        waiting = self._progress.waiting()
        for name, what in list(waiting.items())[:15]:
            table.add_row(
                "…",
                Text(name),
                Text(clean(what) or "looking", style="dim", overflow="ellipsis", no_wrap=True),
            )
        ended = self._progress.outcomes()
        failed = sum(1 for one in ended if one.result == "failed")
        head = f"{len(ended) - failed} passed, {failed} failed, {len(waiting)} waiting; "
        return Group(Text(f"{head}{self._runner.left():.0f} s left"), table)


def line_of(outcome: Outcome) -> Text:
    """One ended check on one line."""
    mark, style = ("ok  ", "green") if outcome.result == "passed" else ("FAIL", "bold red")
    detail = f"  {clean(outcome.detail)}" if outcome.detail else ""
    return Text.assemble((mark, style), f" {outcome.seconds:5.1f} s  {outcome.check}", (detail, "dim"))


def summary(
    console: Console,
    outcomes: Sequence[Outcome],
    not_checked: Sequence[NotChecked],
    dashboards: Sequence[Row] = (),
    *,
    seconds: float,
) -> None:
    """Print the passed checks (a pipe has them already), the dashboards, the failed ones, the unchecked."""
    failed = [one for one in outcomes if one.result == "failed"]
    if console.is_terminal:
        for one in outcomes:
            if one.result == "passed":
                console.print(line_of(one), soft_wrap=True)
    if dashboards:
        console.print()
        for line in _dashboards(dashboards):
            console.print(line, soft_wrap=True)
    for cause, count in Counter(cause for one in failed for cause in one.causes).most_common():
        console.print(Text(f"\n{clean(cause)}: {count} checks fail for it", style="bold red"), soft_wrap=True)
    for one in failed:
        console.print(Text(f"\nFAILED  {one.check}", style="bold red"), soft_wrap=True)
        rows = [("cause", cause) for cause in one.causes]
        rows += [("missing", one.detail), ("query", one.query), ("do", one.todo)]
        for key, value in rows:
            if value:
                console.print(Text(f"  {key + ':':<9}{clean(value)}"), soft_wrap=True)
    if not_checked:
        console.print(Text("\nnot checked:"))
        for note in not_checked:
            console.print(Text(f"  {note.name}: {note.reason}"), soft_wrap=True)
    verdict = f"\n{len(outcomes) - len(failed)} checks passed, {len(failed)} failed, in {seconds:.1f} s"
    console.print(Text(verdict, style="bold red" if failed else "bold green"))


def _dashboards(rows: Sequence[Row]) -> Iterator[Text]:
    """A line for each dashboard and each section of examples, below a heading."""
    widest = max(len(one.name) for one in rows) + 2
    yield Text(f"{'dashboard, examples':<{widest}}asked  with data  empty", style="bold")
    for one in rows:
        whys: dict[str, list[str]] = {}
        for name, why in one.excused:
            whys.setdefault(why, []).append(name)
        rest = [f"{', '.join(names)} until {why}" for why, names in whys.items()]
        rest += [f"{one.not_asked} not asked: the backend does not run"] if one.not_asked else []
        told = clean("; ".join([*(f"WRONG {what}" for what in one.wrong), *rest]))
        counts = f"{one.name:<{widest}}{one.asked:>5}  {one.with_data:>9}"
        yield Text(f"{counts}  {told}".rstrip(), style="red" if one.wrong else "")


def document(
    outcomes: Sequence[Outcome],
    not_checked: Sequence[NotChecked],
    rows: Sequence[Row] = (),
    *,
    seconds: float,
) -> str:
    """The whole result as one JSON document."""
    result = {
        "passed": all(one.result == "passed" for one in outcomes),
        "seconds": round(seconds, 1),
        "checks": [asdict(one) | {"seconds": round(one.seconds, 1)} for one in outcomes],
        "dashboards": [asdict(one) for one in rows],
        "not_checked": [asdict(one) for one in not_checked],
    }
    return json.dumps(result, indent=2)
