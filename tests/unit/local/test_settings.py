"""Settings from .env.example, .env and the environment."""

from pathlib import Path

import pytest

from firedrill.errors import UsageError
from firedrill.settings import read_settings

EXAMPLE = """# Which pace.
PACE=demo
# generated
TOKEN=
PORT_OFFSET=0
FDS_PORT=8001  # moved by hand
QUOTED="a # b"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / ".env.example").write_text(EXAMPLE)
    return tmp_path


def test_the_first_run_makes_env_with_secrets(project: Path) -> None:
    """The file is the owner's alone, keeps the comments, and a second run changes nothing."""
    first = read_settings(project, {}, create=True)
    made = project / ".env"
    assert made.stat().st_mode & 0o777 == 0o600
    assert len(first.values["TOKEN"]) == 32
    assert "# Which pace." in made.read_text()
    before = made.read_text()
    assert read_settings(project, {}, create=True).values == first.values
    assert made.read_text() == before


def test_a_secret_that_env_lacks_is_added(project: Path) -> None:
    """What a user wrote stays as it is."""
    (project / ".env").write_text("PACE=production\n")
    settings = read_settings(project, {}, create=True)
    assert settings.pace == "production"
    assert (project / ".env").read_text() == f"PACE=production\nTOKEN={settings.values['TOKEN']}\n"


def test_without_create_nothing_is_written(project: Path) -> None:
    """The doctor looks and leaves no trace."""
    assert read_settings(project, {}).values["TOKEN"] == ""
    assert not (project / ".env").exists()


def test_the_environment_wins_over_env_and_env_over_the_example(project: Path) -> None:
    """And quotes and comments are not part of a value."""
    (project / ".env").write_text("FDS_PORT=9001\nPACE=production\n")
    values = read_settings(project, {"PACE": "demo", "UNRELATED": "1"}).values
    assert values["FDS_PORT"] == "9001"
    assert values["PACE"] == "demo"
    assert values["QUOTED"] == "a # b"
    assert "UNRELATED" not in values


def test_a_line_that_nobody_reads_is_named_with_what_was_meant(project: Path) -> None:
    """A typing error in .env is a warning and not a silence."""
    (project / ".env").write_text("FDS_PROT=1\nXYZZY=1\n")
    warnings = read_settings(project, {}).warnings
    assert warnings == (
        ".env: FDS_PROT is not a setting and is ignored; did you mean FDS_PORT?",
        ".env: XYZZY is not a setting and is ignored",
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PACE", "fast"),
        ("FDS_PORT", "0"),
        ("FDS_PORT", "web"),
        ("PORT_OFFSET", "-1"),
        ("PORT_OFFSET", "60000"),
    ],
)
def test_a_bad_value_is_refused_by_name(project: Path, name: str, value: str) -> None:
    """With what it may be."""
    with pytest.raises(UsageError, match=f"the setting {name}="):
        read_settings(project, {name: value})
