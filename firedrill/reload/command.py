"""`firedrill reload`: check everything, and only when all of it is good replace and reload what changed."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from firedrill.clients import open_http
from firedrill.errors import CheckFailed
from firedrill.reload.apply import Components, Live, apply
from firedrill.reload.candidate import Candidate, candidate
from firedrill.reload.check import Checked, Run, as_written, check, docker_run, local_run
from firedrill.stack import Stack, current

Say = Callable[[str], None]


def main() -> int:
    """Have the running stack take edited rules and configs; 0 when it has them.

    Raises NotRunning; TopologyError and CheckFailed, with file, line and reason, when something is bad: the
    running configuration is then what it was.
    """
    stack = current()
    with open_http(timeout_seconds=30.0) as http:
        run = docker_run(stack.root) if stack.runtime == "docker" else local_run
        return reload(stack, Live(stack, http), run=run, say=lambda text: print(text, file=sys.stdout))


def reload(stack: Stack, components: Components, *, run: Run, say: Say) -> int:
    """See main; the seams are its arguments."""
    with tempfile.TemporaryDirectory(prefix="firedrill-reload-") as scratch:
        place = Path(scratch)
        _refuse(
            [one for one in as_written(stack.root, place / "written", run=run) if one.finding],
            stack.root,
            say,
        )
        found = candidate(stack, place / "copies")
        _refuse(list(check(found, place / "checked", run=run)), stack.root, say)
        return _apply(found, components, say)


def _refuse(verdicts: list[Checked], root: Path, say: Say) -> None:
    for one in verdicts:
        outcome = (
            "bad" if one.finding else "ok" if one.tool else "not checked, its tool is not on this machine"
        )
        say(f"{one.service:<14} {one.tool or '-':<9} {outcome}")
    findings = [one.finding.text(root) for one in verdicts if one.finding]
    if findings:
        raise CheckFailed(
            "nothing was reloaded, the stack runs on with what it had",
            "\n       ".join(findings),
            "correct it and call `make reload` again",
        )


def _apply(found: Candidate, components: Components, say: Say) -> int:
    if not found.touched():
        say("nothing to reload: every rule and config is what runs already")
        return 0
    apply(found, components, say=lambda service, outcome: say(f"{service:<14} {outcome}"))
    return 0
