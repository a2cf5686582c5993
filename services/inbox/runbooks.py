"""The runbooks of the slices, read as the few Markdown forms that they use."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LARGEST_RUNBOOK_BYTES = 256 * 1024
PLATFORM = "platform"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
_BULLET = re.compile(r"\s*([-*]|\d+(?=\.))\.?\s+")


@dataclass(frozen=True)
class Block:
    """A piece of a runbook: kind is heading, paragraph, item, step or code; level counts a heading's #.

    `language` is what stands behind the fence of code.
    """

    kind: str
    text: str
    level: int = 0
    language: str = ""


@dataclass(frozen=True)
class Library:
    """Where runbooks stand: `<services>/<slice>/runbooks/`, and those of the slice `platform` elsewhere."""

    services: Path
    platform: Path | None = None

    def find(self, owner: str, alert: str) -> Path | None:
        """The runbook of a slice's alert, or None if there is none or a name holds a path."""
        if not (_NAME.fullmatch(owner) and _NAME.fullmatch(alert)):
            return None
        folder = self.platform if owner == PLATFORM else self.services / owner
        path = None if folder is None else folder / "runbooks" / f"{alert}.md"
        return path if path is not None and path.is_file() else None


def read_runbook(path: Path) -> list[Block]:
    """The blocks of the file at `path`; OSError if it cannot be read."""
    with path.open("rb") as file:
        return list(blocks(file.read(LARGEST_RUNBOOK_BYTES).decode("utf-8", "replace")))


def blocks(text: str) -> Iterator[Block]:
    """The blocks of Markdown `text`; a fence that is not closed ends with the text."""
    gathered: list[str] = []
    kind, language = "paragraph", ""
    fenced = False
    for line in [*text.splitlines(), ""]:
        if line.lstrip().startswith("```"):
            if gathered:
                yield _joined("code" if fenced else kind, gathered, language)
            language = line.strip().strip("`").strip()
            gathered, kind, fenced = [], "paragraph", not fenced
        elif fenced:
            gathered.append(line)
        else:
            heading = re.match(r"(#{1,6})\s+(.*)", line)
            bullet = _BULLET.match(line)
            if gathered and (heading or bullet or not line.strip()):
                yield _joined(kind, gathered)
                gathered, kind = [], "paragraph"
            if heading:
                yield Block("heading", heading[2].strip(), len(heading[1]))
            elif bullet:
                numbered = bullet[1].isdigit()
                gathered = [line.strip() if numbered else line[bullet.end() :]]
                kind = "step" if numbered else "item"
            elif line.strip():
                gathered.append(line.strip())
    if gathered:
        yield _joined("code" if fenced else kind, gathered, language)


def _joined(kind: str, lines: list[str], language: str = "") -> Block:
    if kind != "code":
        return Block(kind, " ".join(lines))
    # A fence in a list is indented as the list is.
    return Block(kind, textwrap.dedent("\n".join(lines)).rstrip("\n"), language=language)
