"""What the contract tests read: the project's tracked files, its topology and the expected signals."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]


def tracked_files(root: Path) -> list[Path]:
    """The files that git tracks or would track; outside a checkout every file that no tool made."""
    command = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        return sorted(root / name for name in done.stdout.split("\0") if name and (root / name).is_file())
    made = {".venv", ".git", ".firedrill", "__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache"}
    return sorted(
        path for path in root.rglob("*") if path.is_file() and not made & set(path.relative_to(root).parts)
    )


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@pytest.fixture(scope="session")
def files(root: Path) -> list[Path]:
    """Every tracked file."""
    return tracked_files(root)


@pytest.fixture(scope="session")
def compose(root: Path) -> dict[str, Any]:
    """docker-compose.yml with its anchors resolved and its variables as they stand."""
    data: dict[str, Any] = yaml.safe_load((root / "docker-compose.yml").read_text(encoding="utf-8"))
    return data


@pytest.fixture(scope="session")
def expected(root: Path) -> dict[str, Any]:
    """The truth about signals that stands outside the slices."""
    path = root / "tests/contract/expected_signals.yaml"
    data: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return data
