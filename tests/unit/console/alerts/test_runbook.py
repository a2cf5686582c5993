"""Runbooks as blocks of text: no HTML, no dangerous address, queries with their language."""

from pathlib import Path

import pytest

from console.alerts.runbook import Block, Library, Piece, blocks, safe_url

ROOT = Path(__file__).resolve().parents[4]


def test_headings_lists_and_queries_keep_their_shape() -> None:
    """A numbered step is marked with its number, and a query below it stands as deep as the step."""
    text = "# Name\n\nSome *words* and `code`.\n\n1. First?\n\n   ```promql\n   up\n     == 0\n   ```\n\n"
    text += "2. Second\n- dot\n"
    found = blocks(text)
    assert found[0] == Block("heading", (Piece("text", "Name"),), level=1)
    assert found[1].pieces == (
        Piece("text", "Some "), Piece("em", "words"), Piece("text", " and "), Piece("code", "code"),
        Piece("text", "."),
    )  # fmt: skip
    assert (found[2].kind, found[2].mark, found[2].depth, found[2].text) == ("item", "1.", 1, "First?")
    assert (found[3].kind, found[3].language, found[3].depth, found[3].text) == (
        "code",
        "promql",
        1,
        "up\n  == 0",
    )
    assert [(one.mark, one.text) for one in found[4:]] == [("2.", "Second"), ("•", "dot")]


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<div>\n<b>x</b>\n</div>",
        "<!-- hidden -->",
    ],
)
def test_html_is_text(text: str) -> None:
    """What looks like a tag is shown as it is written."""
    shown = " ".join(block.text for block in blocks(text))
    assert shown == " ".join(text.split("\n"))
    assert all(piece.kind in {"text", "code"} for block in blocks(text) for piece in block.pieces)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "//evil.example/x", "file:///x"])
def test_a_link_elsewhere_than_the_web_and_here_leads_nowhere(url: str) -> None:
    """Its words stay."""
    assert safe_url(url) == ""
    assert blocks(f"[words](<{url}>)")[0].text.startswith(("words", "["))
    assert all(piece.kind != "link" for piece in blocks(f"[words](<{url}>)")[0].pieces)


def test_a_backslash_makes_no_other_site() -> None:
    """Browsers take it for a slash."""
    assert safe_url("/\\evil.example") == ""


def test_links_of_the_web_and_of_the_console_are_links() -> None:
    """Their words and their address."""
    assert blocks("[docs](https://x.example/a) and [here](/logs)")[0].pieces == (
        Piece("link", "docs", "https://x.example/a"), Piece("text", " and "), Piece("link", "here", "/logs"),
    )  # fmt: skip


def test_a_name_that_holds_a_path_is_no_runbook(tmp_path: Path) -> None:
    """Only names lead to files."""
    library = Library(tmp_path, tmp_path / "platform")
    assert library.read("..", "passwd") is None
    assert library.read("fds/../..", "x") is None


def test_every_runbook_can_be_read() -> None:
    """All of this project's runbooks become blocks with a heading first and a query at least."""
    library = Library(ROOT / "services", ROOT / "config" / "platform")
    files = [*ROOT.glob("services/*/runbooks/*.md"), *ROOT.glob("config/platform/runbooks/*.md")]
    assert files
    for file in files:
        owner = "platform" if "config" in file.parts else file.parts[-3]
        found = library.read(owner, file.stem)
        assert found is not None
        assert found[0].kind == "heading"
        assert found[0].text == file.stem
        assert {block.language for block in found} & {"promql", "logql", "traces"}, file
