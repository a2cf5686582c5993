"""The queries of a runbook and of what is empty in calm, and whether they give data during a drill."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from firedrill.errors import FiredrillError

from . import panels
from .model import Drill
from .ports import Surroundings
from .result import StepFailed
from .steps import Steps

KINDS = ("promql", "logql", "traces", "traceql")
SECONDS = 20.0  # what logs and spans need to arrive
BEFORE_SECONDS = 30.0  # lines and traces may be so much older than the fault
_BLOCK = re.compile(r"^[ \t]*```(\w+)[ \t]*\n(.*?)^[ \t]*```[ \t]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Query:
    """One block of a runbook, or a query of a dashboard or of the docs; `line` is where it is in `file`."""

    file: Path
    line: int
    kind: str
    text: str

    def __str__(self) -> str:
        place = "/".join(self.file.parts[-4:])
        return f"{place}, line {self.line}, {self.kind}: {' '.join(self.text.split())}"


def queries(file: Path) -> list[Query]:
    """The blocks of a runbook that a drill runs, in their order. Raises OSError."""
    text = file.read_text("utf-8")
    return [
        Query(file, text.count("\n", 0, found.start()) + 1, found[1], found[2].strip())
        for found in _BLOCK.finditer(text)
        if found[1] in KINDS
    ]


def follow(drill: Drill, around: Surroundings, steps: Steps, *, faulted: float) -> None:
    """Run the queries of the drill's runbook, and those that only it fills, until each has given data.

    Raises StepFailed at step runbook.
    """
    steps.current, began = "runbook", around.clock.now()
    filled = [Query(*one) for one in panels.filled_by(drill)]
    asked = [*_read(drill), *filled]
    missing: dict[Query, str] = dict.fromkeys(asked, "gives no data")
    left_out: list[Query] = []

    def data() -> bool:
        for query in list(missing):
            until = around.clock.now() + 1
            try:
                count = around.evidence.found(
                    query.kind, query.text, since=faulted - BEFORE_SECONDS, until=until
                )
            except FiredrillError as error:
                missing[query] = f"cannot be asked: {error.what}; {error.why}"
                continue
            if count is None:
                left_out.append(query)
            elif not count:
                missing[query] = "gives no data"
                continue
            del missing[query]
        return not missing

    steps.until(
        "runbook",
        data,
        ends=began + SECONDS,
        missing=lambda: _first_of(missing),
        why=lambda: "; ".join(f"{query} {why}" for query, why in missing.items()),
        todo="correct the runbook, or see whether the signal arrives: firedrill verify",
    )
    rest = f", {len(filled)} of them of panels and examples that calm leaves empty" if filled else ""
    rest += f", {len(left_out)} left out: their backend does not run" if left_out else ""
    steps.done("runbook", "fault", faulted, text=f"{len(asked) - len(left_out)} queries give data{rest}")


def _first_of(missing: dict[Query, str]) -> str:
    first, why = next(iter(missing.items()))
    page = "the runbook " if first.file.parent.name == "runbooks" else ""
    place = f"{page}{first.file.name} (line {first.line}, {first.kind})"
    return f"a query of {place} {why.partition(':')[0]}"


def _read(drill: Drill) -> Sequence[Query]:
    try:
        found = queries(drill.runbook)
    except OSError as error:
        place = f"{drill.slice}/runbooks/{drill.runbook.name}"
        raise StepFailed("runbook", f"{place} cannot be read", str(error), "write the runbook") from None
    if not found:
        raise StepFailed(
            "runbook",
            f"{drill.runbook.name} has no query",
            f"no fenced block is tagged {', '.join(KINDS)}",
            "give its Diagnosis queries that show the fault",
        )
    return found
