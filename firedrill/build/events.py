"""What a build tells while it runs: one line for a person, or one JSON object a line for the supervisor."""

import json
from dataclasses import asdict, dataclass
from typing import IO, Literal, Protocol

Kind = Literal["start", "phase", "progress", "binary", "done", "failed", "cached"]
HEARTBEAT_SECONDS = 2.0  # the supervisor may call a build that says less "stuck"
PERSON_SECONDS = 15.0


@dataclass(frozen=True)
class Event:
    """One step of one component's build.

    `seconds` since its start, `expected_seconds` for all of it; `phase` is wait, download, compile or link;
    `detail` is for a person. A failure also has `why`, `todo` and `log`; a finished binary has `path`.
    """

    event: Kind
    component: str
    phase: str = ""
    seconds: float = 0.0
    expected_seconds: float = 0.0
    detail: str = ""
    why: str = ""
    todo: str = ""
    log: str = ""
    path: str = ""


class Sink(Protocol):
    def __call__(self, event: Event) -> None: ...


class ReaderGoneError(Exception):
    """Whoever read the events is gone, so nobody waits for the build."""


def json_lines(stream: IO[str]) -> Sink:
    """A sink that writes one JSON object a line; raises ReaderGoneError once the reader is gone."""

    def write(event: Event) -> None:
        fields = {key: value for key, value in asdict(event).items() if value != ""}
        fields["seconds"] = round(event.seconds, 1)
        try:
            stream.write(json.dumps(fields) + "\n")
            stream.flush()
        except (BrokenPipeError, ValueError) as error:
            raise ReaderGoneError from error

    return write


def human_lines(stream: IO[str]) -> Sink:
    """A sink that writes each change at once, and progress no more often than every 15 s."""
    last_line: dict[str, float] = {}

    def show(event: Event) -> None:
        if event.event == "progress" and event.seconds - last_line.get(event.component, 0.0) < PERSON_SECONDS:
            return
        last_line[event.component] = event.seconds
        try:
            stream.write(_sentence(event) + "\n")
            stream.flush()
        except BrokenPipeError as error:
            raise ReaderGoneError from error

    return show


def _sentence(event: Event) -> str:
    name, took = event.component, f"{event.seconds:.0f} s"
    match event.event:
        case "start":
            return f"{name}: building, about {event.expected_seconds:.0f} s on two cores"
        case "phase" | "progress":
            detail = f", {event.detail}" if event.detail else ""
            return f"{name}: {event.phase}{detail} ({took})"
        case "binary":
            return f"{name}: {event.detail} ready ({took})"
        case "done":
            return f"{name}: built in {took}"
        case "cached":
            return f"{name}: already there"
        case "failed":
            lines = [f"{name}: failed after {took}: {event.detail.removeprefix(name + ': ')}"]
            lines += [f"  why: {event.why}"] if event.why else []
            lines += [f"  do:  {event.todo}"] if event.todo else []
            return "\n".join(lines)
