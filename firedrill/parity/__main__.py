"""python -m firedrill.parity write FILE, and: compare A B."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from firedrill import stack
from firedrill.clients import open_http
from firedrill.errors import FiredrillError
from firedrill.parity.compare import Verdict, compare, declared
from firedrill.parity.document import PARTS, load, save
from firedrill.parity.reading import WINDOW_SECONDS, read, settle

SETTLE_SECONDS = 60.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a document of the running stack, or compare two: exit code 1 when they differ."""
    parser = argparse.ArgumentParser(prog="python -m firedrill.parity", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write", help="write what the running stack offers to FILE")
    write.add_argument("file", type=Path)
    write.add_argument("--seconds", type=float, default=WINDOW_SECONDS, help="how far back to look")
    both = commands.add_parser("compare", help="name every difference of two documents")
    both.add_argument("first", type=Path)
    both.add_argument("second", type=Path)
    given = parser.parse_args(arguments)
    try:
        return _write(given.file, given.seconds) if given.command == "write" else _compare(given)
    except FiredrillError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code


def _write(file: Path, seconds: float) -> int:
    with open_http(timeout_seconds=30.0) as http:
        running = stack.current()
        settle(running, http=http, deadline_seconds=SETTLE_SECONDS)
        document = read(running, http=http, window_seconds=seconds)
    save(file, document)
    sizes = ", ".join(f"{part} {len(document[part])}" for part in PARTS)
    sys.stdout.write(
        f"{file}: the {document['about']['runtime']} runtime at {document['about']['pace']} pace: {sizes}\n"
    )
    return 0


def _compare(given: argparse.Namespace) -> int:
    first, second = load(given.first), load(given.second)
    names = (_name(first, given.first), _name(second, given.second))
    verdict = compare(first, second, declared(), names=names if names[0] != names[1] else ("A", "B"))
    sys.stdout.write(told(verdict))
    return 1 if verdict.found else 0


def told(verdict: Verdict) -> str:
    """The verdict, a line for each difference."""
    lines = [f"{one.place}: {one.what}" for one in verdict.found]
    lines += [f"declared: {one.place}: {one.what} ({why})" for one, why in verdict.explained]
    lines.append(
        f"{len(verdict.found)} differences" if verdict.found else "the same, but for what is declared"
    )
    return "\n".join(lines) + "\n"


def _name(document: dict[str, object], path: Path) -> str:
    about = document.get("about")
    return str(about.get("runtime")) if isinstance(about, dict) and about.get("runtime") else path.stem


if __name__ == "__main__":
    sys.exit(main())
