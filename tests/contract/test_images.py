"""docs/images.md has each image of docker-compose.yml, with the tag, the user and the health check in use."""

import re
from pathlib import Path
from typing import Any

import pytest

ROW = re.compile(r"^\| `(?P<image>[^`]+)` \| (?P<user>\d+:\d+) \|(?P<rest>.*)\|$", re.M)


@pytest.fixture(scope="module")
def rows() -> dict[str, tuple[str, list[str]]]:
    """By image: user and the other cells."""
    text = (Path(__file__).parents[2] / "docs" / "images.md").read_text(encoding="utf-8")
    found = [
        (one["image"], (one["user"], [cell.strip() for cell in one["rest"].split("|")]))
        for one in ROW.finditer(text)
    ]
    assert len(dict(found)) == len(found), "an image stands twice"
    return dict(found)


def used(compose: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Service, image, user and the program of the health check of every service."""
    found = []
    for name, block in compose["services"].items():
        test = block.get("healthcheck", {}).get("test", ["CMD", "none"])
        found.append((name, block["image"], block["user"], test[1]))
    return found


def test_each_image_has_its_row(compose: dict[str, Any], rows: dict[str, tuple[str, list[str]]]) -> None:
    """Whoever changes a tag looks up what it changes."""
    missing = {image for _, image, _, _ in used(compose)} - rows.keys()
    assert not missing, f"docs/images.md lacks {', '.join(sorted(missing))}"


def test_no_row_is_left_over(compose: dict[str, Any], rows: dict[str, tuple[str, list[str]]]) -> None:
    """A row of an image that nobody uses says something about another one."""
    assert not rows.keys() - {image for _, image, _, _ in used(compose)}


def test_user_and_health_check_are_those_in_use(
    compose: dict[str, Any], rows: dict[str, tuple[str, list[str]]]
) -> None:
    """The traffic has no check of its own although its image could have one."""
    for name, image, user, program in used(compose):
        known, cells = rows[image]
        assert known == user, f"{name}: docs/images.md says {known}"
        if name != "traffic":
            assert cells[2].strip("`") == program, f"{name}: docs/images.md says {cells[2]}"


def test_each_fact_has_a_source(rows: dict[str, tuple[str, list[str]]]) -> None:
    """Own user, base, check and where that is known from."""
    for image, (_, cells) in rows.items():
        assert len(cells) == 4, image
        assert all(cells), image
