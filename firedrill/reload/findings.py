"""What a component's tool says about a bad file, as file, line and reason in the project's own terms."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_LINE = re.compile(r"\bline (\d+)\b")
_NOISE = re.compile(r"^(Checking|SUCCESS|FAILED:?$|Found:|- |amtool: error|\d{4}/\d\d/\d\d )|^Error: '?$")


@dataclass(frozen=True)
class Finding:
    """Why a file cannot be used; `line` is None when the tool does not say and nothing it names was found."""

    file: Path
    line: int | None
    why: str

    def text(self, root: Path) -> str:
        """file:line: reason, the file relative to `root`."""
        name = self.file.relative_to(root) if self.file.is_relative_to(root) else self.file
        place = f"{name}:{self.line}" if self.line else str(name)
        return f"{place}: {self.why}"


def finding(said: str, checked: Mapping[Path, Path], main: Path) -> Finding:
    """The place that a tool's words point to.

    `checked` maps the files that the tool read to their sources; `main` is the source that it was started
    with. A line that the tool does not give is looked for by the names that it quotes.
    """
    file, line = _place(said, checked, main)
    if line is None and (number := _LINE.search(said)):
        line = int(number[1])
    if line is None or file is None:
        file, line = _quoted(said, [file] if file else list(dict.fromkeys([main, *checked.values()])), line)
    return Finding(file or main, line, _reason(said, checked))


def _place(said: str, checked: Mapping[Path, Path], main: Path) -> tuple[Path | None, int | None]:
    """File and line where the tool names them: path:line, or a template's name:line."""
    complaint = "\n".join(line for line in said.splitlines() if not _NOISE.search(line.strip()))
    for path, source in checked.items():
        if found := re.search(re.escape(str(path)) + r"(?:: ?(\d+)\b)?", complaint):
            return source, int(found[1]) if found[1] else None
    for path, source in checked.items():
        if found := re.search(rf"\b{re.escape(path.name)}:(\d+)", complaint):
            return source, int(found[1])
    return (None if "*" in complaint else main), None


def _quoted(said: str, files: list[Path], line: int | None) -> tuple[Path | None, int | None]:
    """The first line that holds what the tool quotes, the last quoted name first."""
    names = re.findall(r'"([^"\n]+)"|\bkeys: (\w+)|\bfield (\w+)', said)
    for name in [next(filter(None, found)) for found in reversed(names)]:
        for file in files:
            rows = file.read_text("utf-8", "replace").splitlines() if file.is_file() else []
            whole = re.compile(rf"(?<![\w-]){re.escape(name)}(?![\w-])")
            hits = [number for number, row in enumerate(rows, 1) if whole.search(row)]
            if hits:
                return file, line if line in hits else hits[0]
    return files[0] if files else None, line


def _reason(said: str, checked: Mapping[Path, Path]) -> str:
    """The tool's own words in one line, without its progress and our temporary paths."""
    for path in sorted(checked, key=lambda one: -len(str(one))):
        said = said.replace(str(path), path.name)
    rows = [re.sub(r"^Checking '[^']*'\s*(?=FAILED: .)", "", row.strip()) for row in said.splitlines()]
    kept = list(dict.fromkeys(row for row in rows if row and not _NOISE.search(row)))
    words = " ".join(row.removeprefix("FAILED:").strip() for row in kept)
    return re.sub(r"\s*Use `-config\.expand-env.*$", "", words)[:500] or "refused without a reason"
