"""A shift's page: its incidents one after another, and the mean at the end."""

from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from console import frame
from console.frame import Viewer
from console.sandbox import lobby, looks
from console.sandbox.conductor import Conductor, Shift
from console.sandbox.run import Run
from console.sandbox.scoring import score, shift_total


@dataclass
class Relay:
    """One viewer's view of one shift."""

    conductor: Conductor
    viewer: Viewer
    shift_id: str
    _shown: object = None
    _place: Element | None = None

    def build(self) -> None:
        """The page. Raises MissingError."""
        looks.style()
        shift = self.conductor.shift(self.shift_id)
        frame.text(f"A shift of three, seed {shift.seed}", tag="h1")
        frame.text(
            "They come one after another. Each begins when the stack is calm; open the one that goes on.",
            tag="p", classes="fd-section",
        )  # fmt: skip
        self.viewer.hint_at_token("Working a shift")
        self._place = ui.element("div").classes("sb-stack")
        self.show()
        ui.timer(1.0, self.show)

    def show(self) -> None:
        """Draw anew when something has changed."""
        shift = self.conductor.shift(self.shift_id)
        runs = [self.conductor.run(one) for one in shift.runs]
        now = (shift.ended, tuple((one.id, one.phase) for one in runs))
        if now == self._shown or self._place is None:
            return
        self._shown = now
        self._place.clear()
        with self._place:
            self._result(shift, runs)
            for number in range(len(shift.names)):
                self._one(number, runs[number] if number < len(runs) else None, shift)
            if not shift.ended:
                lobby.button("End the shift", self._end, off=not self.viewer.may_change, plain=True)
            else:
                frame.anchor("All incidents", "/sandbox")

    def _result(self, shift: Shift, runs: list[Run]) -> None:
        if not shift.ended:
            return
        counted = [score(run).total for run in runs if run.phase == "over" and run.outcome != "void"]
        mean, verdict = shift_total(counted)
        with ui.element("section").classes("fd-box"):
            with ui.element("div").classes("fd-row"):
                frame.text(str(mean), tag="span", classes="sb-score")
                frame.text(f"of 100, mean of {len(counted)}", tag="span", classes="fd-quiet")
            if counted:
                frame.text(verdict, tag="p").style("margin: 8px 0 0")

    def _one(self, number: int, run: Run | None, shift: Shift) -> None:
        with ui.element("section").classes("fd-box fd-row"):
            frame.text(f"{number + 1}.", tag="span", classes="fd-quiet")
            if run is None:
                frame.text("not reached" if shift.ended else "still to come", tag="span", classes="fd-quiet")
                return
            word, colour = looks.outcome(run)
            frame.anchor(run.incident.title, f"/sandbox/{run.id}")
            frame.text(word, tag="span", classes=f"fd-badge {colour}")
            if run.phase == "over" and run.outcome != "void":
                frame.text(f"{score(run).total} of 100", tag="span")

    async def _end(self) -> None:
        if self.viewer.may_change:
            await self.conductor.end_shift(self.shift_id)
            self.show()
