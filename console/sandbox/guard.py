"""Outlives a console that dies: heals what its incident broke, unless it is told that all is healed.

python -m console.sandbox.guard; standard input is a pipe from the console: a line of JSON, later `healed`.
"""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

HEALED = "healed"
ANSWER_SECONDS = 5.0


@dataclass(frozen=True)
class Task:
    """What to heal: addresses of faults with their token, and held processes with the control socket."""

    faults: tuple[str, ...]
    token: str
    processes: tuple[str, ...]
    socket: str

    def written(self) -> str:
        """One line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, line: str) -> "Task":
        """From that line."""
        told = json.loads(line)
        return cls(tuple(told["faults"]), told["token"], tuple(told["processes"]), told["socket"])


def watch(lines: Iterable[str], heal: Callable[[Task], Sequence[str]]) -> bool:
    """Read the task, then wait: without the word, heal. True when that was needed."""
    waiting = iter(lines)
    task = Task.read(next(waiting))
    if any(line.strip() == HEALED for line in waiting):
        return False
    heal(task)
    return True


def heal(task: Task) -> Sequence[str]:
    """Clear and start everything; gives what went wrong, which keeps nothing else from being healed."""
    problems = []
    headers = {"Authorization": f"Bearer {task.token}"}
    for url in task.faults:
        try:
            httpx.delete(
                url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False
            ).raise_for_status()  # fmt: skip
        except httpx.HTTPError as error:
            problems.append(f"{url}: {error}")
    for name in task.processes:
        problems += _started(Path(task.socket), name)
    return problems


def _started(socket: Path, name: str) -> list[str]:
    from firedrill.errors import FiredrillError  # noqa: PLC0415 - most incidents stop no process
    from firedrill.local import control  # noqa: PLC0415

    try:
        control.send(socket, "release", name)
    except FiredrillError as error:
        return [str(error)]
    return []


if __name__ == "__main__":
    watch(sys.stdin, heal)
