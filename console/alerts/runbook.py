"""A runbook as blocks of text: Markdown without any HTML, its queries with a place to run them."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from markdown_it import MarkdownIt
from markdown_it.token import Token

LARGEST_BYTES = 256 * 1024
PLATFORM = "platform"
_NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")

PieceKind = Literal["text", "code", "strong", "em", "link"]
BlockKind = Literal["heading", "paragraph", "item", "code", "rule"]


@dataclass(frozen=True)
class Piece:
    """A run of text in one style; `url` of a link is http, https or a path of ours."""

    kind: PieceKind
    text: str
    url: str = ""


@dataclass(frozen=True)
class Block:
    """One block; `level` is a heading's, `depth` how deep it is in lists, `mark` the number or dot."""

    kind: BlockKind
    pieces: tuple[Piece, ...] = ()
    level: int = 0
    depth: int = 0
    mark: str = ""
    language: str = ""

    @property
    def text(self) -> str:
        """Without styles."""
        return "".join(piece.text for piece in self.pieces)


@dataclass(frozen=True)
class Library:
    """Where runbooks lie: `<slices>/<slice>/runbooks`, and those of the slice `platform` elsewhere."""

    slices: Path
    platform: Path

    def find(self, owner: str, alert: str) -> Path | None:
        """The runbook of a slice's alert, None if there is none or a name is no name."""
        if not (_NAME.fullmatch(owner) and _NAME.fullmatch(alert)):
            return None
        folder = self.platform if owner == PLATFORM else self.slices / owner
        path = folder / "runbooks" / f"{alert}.md"
        return path if path.is_file() else None

    def read(self, owner: str, alert: str) -> list[Block] | None:
        """Its blocks, None if there is none."""
        path = self.find(owner, alert)
        if path is None:
            return None
        with path.open("rb") as file:
            return blocks(file.read(LARGEST_BYTES).decode("utf-8", "replace"))


def blocks(text: str) -> list[Block]:
    """The blocks of Markdown `text`; HTML in it is text like any other."""
    tokens = MarkdownIt("commonmark", {"html": False}).parse(text)
    return list(_blocks(tokens))


def _blocks(tokens: Sequence[Token]) -> Iterator[Block]:
    marks: list[Iterator[str]] = []
    mark, level = "", 0
    for token in tokens:
        if token.type in {"ordered_list_open", "bullet_list_open"}:
            marks.append(_marks(token))
        elif token.type in {"ordered_list_close", "bullet_list_close"}:
            marks.pop()
        elif token.type == "list_item_open":
            mark = next(marks[-1])
        elif token.type == "heading_open":
            level = int(token.tag[1])
        elif token.type == "heading_close":
            level = 0
        elif token.type == "inline":
            kind: BlockKind = "heading" if level else "item" if mark else "paragraph"
            pieces = tuple(_joined(_pieces(token.children or ())))
            yield Block(kind, pieces, level=level, depth=len(marks), mark=mark)
            mark = ""
        elif token.type in {"fence", "code_block", "html_block"}:
            language = token.info.split()[0] if token.info.strip() else ""
            yield Block(
                "code", (Piece("code", token.content.rstrip("\n")),), depth=len(marks), language=language
            )
        elif token.type == "hr":
            yield Block("rule")


def _marks(token: Token) -> Iterator[str]:
    number = int(token.attrGet("start") or 1)
    while True:
        yield f"{number}." if token.type.startswith("ordered") else "•"
        number += 1


def _pieces(tokens: Sequence[Token]) -> Iterator[Piece]:
    styles: list[tuple[PieceKind, str]] = []
    for token in tokens:
        if token.type in {"strong_open", "em_open"}:
            styles.append(("strong" if token.type == "strong_open" else "em", ""))
        elif token.type == "link_open":
            url = safe_url(str(token.attrGet("href") or ""))
            styles.append(("link", url) if url else ("text", ""))
        elif token.type in {"strong_close", "em_close", "link_close"}:
            styles.pop()
        elif token.type == "code_inline":
            yield Piece("code", token.content)
        elif token.type in {"softbreak", "hardbreak"}:
            yield Piece("text", " ")
        else:
            kind, url = next((style for style in reversed(styles) if style[0] != "text"), ("text", ""))
            yield Piece(kind, token.content, url)


def _joined(pieces: Iterator[Piece]) -> Iterator[Piece]:
    """Neighbours of one style as one."""
    last: Piece | None = None
    for piece in pieces:
        if last is not None and (last.kind, last.url) == (piece.kind, piece.url):
            last = Piece(last.kind, last.text + piece.text, last.url)
            continue
        if last is not None:
            yield last
        last = piece
    if last is not None:
        yield last


def safe_url(url: str) -> str:
    """`url` when it is of http or https with a host, or a path of ours; else nothing."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    if parts.scheme in {"http", "https"} and parts.hostname:
        return url
    own = url.startswith("/") and not url.startswith(("//", "/\\"))
    return url if own and not parts.scheme else ""
