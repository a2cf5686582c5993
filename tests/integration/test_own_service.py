"""docs/your-own-service.md, executed as it stands there, attaches a foreign application to the stack."""

import os
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from firedrill.wait import poll_until

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/your-own-service.md"
ADDRESS = "http://127.0.0.1:9555"
SECONDS = 60


def blocks(heading: str) -> list[str]:
    """The shell blocks below one heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return re.findall(r"```sh\n(.*?)```", section, re.S)


class Shell:
    """One shell, as a reader of the page would have it open; every command's output is read to its end."""

    def __init__(self, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["bash", "--norc"],
            cwd=ROOT,
            env=environ,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, script: str) -> tuple[int, str]:
        """Exit code of the last command, and all that was printed."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f'{script}\necho "@end $?"\n')
        stdin.flush()
        lines: list[str] = []
        for line in stdout:
            if line.startswith("@end "):
                return int(line.split()[1]), "".join(lines)
            lines.append(line)
        pytest.fail(f"the shell ended during: {script}\n{''.join(lines)}", pytrace=False)

    def close(self) -> None:
        """End the shell and what it started."""
        self.run("kill $(jobs -p) 2>/dev/null; wait")
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)
        assert self._process.stdout is not None
        self._process.stdout.close()


@pytest.fixture(scope="module")
def shell(stack: Any) -> Iterator[Shell]:
    """The reader's shell, beside the running stack."""
    stack.view()
    # The page says .venv/bin/firedrill; the checkout's own environment is the one that runs this test.
    opened = Shell({**os.environ, **stack.environ})
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def attached(shell: Shell, stack: Any) -> Shell:
    """The page's first part, done."""
    for block in blocks("Attach it"):
        code, output = shell.run(block)
        assert code == 0, output
    poll_until(lambda: stack.http.get(f"{ADDRESS}/orders/1").is_success, "the application", 30)
    return shell


def test_the_page_shows_the_service_in_all_three(attached: Shell) -> None:
    """Each command of "See it" answers with something of the service; the last two by its trace id."""
    first, *others = blocks("See it")[0].strip().splitlines()
    code, output = attached.run(first)
    assert code == 0, output
    shown = [
        poll_until(lambda command=command: found(attached, command), command, SECONDS) for command in others
    ]
    metrics, by_text, by_trace, trace = shown
    assert "bookshop" in metrics
    assert "Order 17 was looked at" in by_text
    assert "Order 17 was looked at" in by_trace
    assert "bookshop.order" in trace


def found(shell: Shell, command: str) -> str:
    """What a command prints, once it prints something of the service."""
    code, output = shell.run(command)
    if code or ("ookshop" not in output and "Order 17" not in output):
        raise LookupError(f"exit {code}: {output[-500:]}")
    return output


def test_labels_are_as_the_page_says(attached: Shell, stack: Any) -> None:
    """The file's name is the service, and a line's level is its label."""

    def look() -> Any:
        now = time.time()
        return stack.loki.search('{service="bookshop",system="own"}', start=now - 300, end=now + 5).lines

    lines = poll_until(look, "lines of the service", SECONDS)
    assert {line.labels.get("level") for line in lines} == {"INFO"}
    assert all(set(line.labels) <= {"service", "system", "level"} for line in lines)
    assert all(len(line.metadata["trace_id"]) == 32 for line in lines)


def test_lines_that_are_not_json_are_kept(attached: Shell, stack: Any) -> None:
    """As they are, under the file's name, with the time at which they were read."""
    text = f"plain text {time.time_ns()}"
    code, output = attached.run(f'echo {shlex.quote(text)} >> "$FIREDRILL_OWN/logs/bookshop.log"')
    assert code == 0, output

    def look() -> Any:
        now = time.time()
        logql = f'{{service="bookshop"}} |= "{text}"'
        return stack.loki.search(logql, start=now - 120, end=now + 5).lines

    assert [line.text for line in poll_until(look, text, SECONDS)] == [text]


def test_taking_it_away_leaves_no_target(attached: Shell, stack: Any) -> None:
    """The target is gone within the refresh, without a restart."""
    for block in blocks("Take it away"):
        code, output = attached.run(block)
        assert code == 0, output
    poll_until(
        lambda: not [one for one in stack.prometheus.targets() if one.labels.get("job") == "bookshop"],
        "the target is gone",
        SECONDS,
    )


def test_every_block_of_the_page_was_run() -> None:
    """A block under another heading would go untested."""
    text = PAGE.read_text(encoding="utf-8")
    parts = ("Attach it", "See it", "Take it away")
    assert sum(len(blocks(part)) for part in parts) == len(re.findall(r"^```sh", text, re.M))
