"""The example queries of docs/queries.md: which question each answers, and what fills it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PAGE = "docs/queries.md"
LANGUAGES = {"promql": "prometheus", "logql": "loki", "traceql": "tempo"}
_PARTS = re.compile(r"^## (?P<title>[^\n]+)$|^```(?P<tag>\w+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
_CALM = re.compile(r"\s*Empty in calm; filled by the drill `(?P<drill>[\w/]+)`\.")


@dataclass(frozen=True)
class Example:
    """One query of the page, under the heading `section`; `drill` (slice/alert) fills it if calm does not."""

    section: str
    question: str
    language: str
    query: str
    line: int
    drill: str = ""

    @property
    def datasource(self) -> str:
        """The uid of the datasource that it is for."""
        return LANGUAGES[self.language]


def examples(project: Path) -> list[Example]:
    """The examples of the project's page, in their order; none without a page."""
    path = project / PAGE
    return list(read(path.read_text("utf-8"))) if path.is_file() else []


def read(text: str) -> Iterator[Example]:
    """The examples of a page: each block with the paragraph before it. Blocks in other languages are none."""
    section, end = "", 0
    for found in _PARTS.finditer(text):
        if found["title"]:
            section = found["title"].strip("` ")
        elif found["tag"] in LANGUAGES:
            before = " ".join(text[end : found.start()].strip().split("\n\n")[-1].split())
            calm = _CALM.search(before)
            yield Example(
                section=section,
                question=_CALM.sub("", before),
                language=found["tag"],
                query=found["code"].strip(),
                line=text.count("\n", 0, found.start()) + 1,
                drill=calm["drill"] if calm else "",
            )
        end = found.end()
