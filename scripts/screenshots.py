"""Pictures of the running stack's console; with beginnings of names only some of them."""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Take them; 1 when a page had errors or was not drawn."""
    from firedrill.errors import FiredrillError  # noqa: PLC0415 - the script's help needs nothing installed
    from firedrill.screenshots.shots import take  # noqa: PLC0415
    from firedrill.stack import current  # noqa: PLC0415

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("only", nargs="*", help="the names' beginnings, such as overview")
    parser.add_argument("--folder", type=Path, default=ROOT / "reports" / "screenshots")
    parser.add_argument("--calm", action="store_true", help="break nothing")
    parser.add_argument("--console", default="", help="the address of another console that shows this stack")
    asked = parser.parse_args()
    try:
        stack = current()
        console = asked.console.rstrip("/") or stack.url("console")
        wrong = take(
            stack, asked.folder, console=console, only=asked.only, break_it=not asked.calm, say=print
        )
    except FiredrillError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
