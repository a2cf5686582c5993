"""The end of a run: what it was, the score with its reasons, and the path that an expert would have taken."""

from nicegui import ui

from console import frame
from console.frame import Viewer
from console.sandbox import links, lobby, looks
from console.sandbox.chosen import SetFault
from console.sandbox.conductor import Conductor
from console.sandbox.model import LinkKind, Step
from console.sandbox.run import Run
from console.sandbox.scoring import Line, Score, score

_LINK_WORDS: dict[LinkKind, str] = {
    "board": "the board", "logs": "these logs", "traces": "these traces", "metrics": "this query",
    "runbook": "the runbook", "page": "the page",
}  # fmt: skip


def draw(conductor: Conductor, viewer: Viewer, run: Run) -> None:
    """Everything, now that it is over."""
    found = score(run)
    with ui.element("div").classes("sb-stack fd-section"):
        with ui.element("div").classes("sb-room"):
            with ui.element("div").classes("sb-stack"):
                _result(conductor, viewer, run, found)
            with ui.element("div").classes("sb-stack"):
                _truth(run)
        if run.outcome != "void":
            _points(found)
        _path(run)


def _result(conductor: Conductor, viewer: Viewer, run: Run, found: Score) -> None:
    with ui.element("section").classes("fd-box"):
        with ui.element("div").classes("fd-row"):
            if run.outcome != "void":
                frame.text(f"{found.total}", tag="span", classes="sb-score")
                frame.text("of 100", tag="span", classes="fd-quiet")
        frame.text(found.verdict, tag="p").style("margin: 8px 0")
        if run.why and run.outcome != "void":
            frame.text(run.why, tag="p", classes="fd-quiet")
        _times(run)
        with ui.element("div").classes("fd-row").style("margin-top: 12px"):
            off = not viewer.may_change
            name, seed = run.incident.name, run.plan.seed

            async def again() -> None:
                await lobby.start(conductor, viewer, name)

            async def same() -> None:
                await lobby.start(conductor, viewer, name, seed)

            lobby.button("Try again", again, off=off)
            lobby.button(f"Again with seed {seed}", same, off=off, plain=True)
            frame.anchor("All incidents", "/sandbox")


def _times(run: Run) -> None:
    def after(start: float | None, end: float | None) -> float | None:
        return None if start is None or end is None else end - start

    shown = (
        ("page came in", after(run.faulted_at, run.paged_at), "after the fault"),
        ("seen", after(run.paged_at, run.seen_at), "after the page"),
        ("diagnosed", after(run.paged_at, run.diagnosed_at), "after the page"),
        ("healed", after(run.paged_at, run.healed_at), "after the page"),
        ("cleared", after(run.healed_at, run.cleared_at), "after the heal"),
    )
    with ui.element("div").classes("sb-times"):
        for what, seconds, since in shown:
            with ui.element("div"):
                frame.text(what, tag="span", classes="fd-quiet")
                frame.text(looks.span(seconds), tag="strong")
                frame.text(since if seconds is not None else "not reached", tag="span", classes="fd-quiet")


def _truth(run: Run) -> None:
    with ui.element("section").classes("fd-box"):
        frame.text("What it was", tag="h2")
        for question in run.incident.questions:
            frame.text(question.text, tag="div", classes="fd-quiet")
            frame.text(question.right.text, tag="div").style("margin-bottom: 6px; font-weight: 600")
        if run.faulted_at is not None:
            frame.text(run.incident.since.text, tag="div", classes="fd-quiet")
            with ui.element("div").style("margin-bottom: 6px; font-weight: 600"):
                frame.when(run.faulted_at)
        frame.text("What mends it", tag="div", classes="fd-quiet")
        healing = next(action for action in run.incident.actions if action.heals)
        frame.text(healing.text, tag="div").style("margin-bottom: 6px; font-weight: 600")
        if run.incident.misleads:
            frame.text(f"The loudest alert was {run.incident.loudest}", tag="div", classes="fd-quiet")
            frame.text(run.incident.misleads, tag="div").style("margin-bottom: 6px")
        frame.text("How it was simulated", tag="div", classes="fd-quiet")
        for one in run.plan.broken:
            if isinstance(one, SetFault):
                values = " ".join(f"{name}={value}" for name, value in one.parameters.items())
                frame.text(f"{one.service}/{one.name} {values}".strip(), tag="code")
            else:
                frame.text(f"the process {one.process} was stopped", tag="span")


def _points(found: Score) -> None:
    with ui.element("section").classes("fd-box"):
        frame.text("Points", tag="h2")
        with (
            ui.element("div").classes("fd-scroll"),
            ui.element("table").classes("fd-table"),
            ui.element("tbody"),
        ):
            for line in found.lines:
                _line(line)


def _line(line: Line) -> None:
    colour = "fd-good" if line.points > 0 else "fd-bad" if line.points < 0 else "fd-quiet"
    with ui.element("tr"):
        with ui.element("td").style("white-space: nowrap"):
            frame.text(line.what, tag="span")
        with ui.element("td").classes("fd-number"):
            of = f" of {line.most}" if line.most else ""
            frame.text(f"{line.points}{of}", tag="span", classes=colour)
        with ui.element("td"):
            frame.text(line.why, tag="span")


def _path(run: Run) -> None:
    with ui.element("section").classes("fd-box"):
        frame.text("The expert's path", tag="h2")
        with ui.element("ol").classes("sb-path"):
            for step in run.incident.path:
                _step(step)
        frame.text(run.incident.lesson, tag="p").style("margin: 12px 0 0; max-width: 75ch; font-weight: 600")


def _step(step: Step) -> None:
    with ui.element("li"):
        frame.text(step.do + " ", tag="span")
        frame.anchor(_LINK_WORDS[step.kind], links.address(step.kind, step.link), blank=True)
        frame.text(step.why, tag="div", classes="fd-quiet")
        if step.kind in {"logs", "metrics", "traces"}:
            frame.text(step.link, tag="code", classes="fd-mono")
