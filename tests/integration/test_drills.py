"""Both drills on the real stack: fault in, alert out, message in the inbox, fault out, all clear."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize("name", ["JudgmentHighErrorRate", "FDSSLAViolation"])
def test_drill_passes(stack: Any, name: str, tmp_path: Path) -> None:
    """The drill ends with exit code 0 and writes its times."""
    report = tmp_path / "report.json"
    done = stack.command("drill", name, "--report", str(report), seconds=600)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert name in done.stdout
    assert report.read_text(encoding="utf-8").strip()


def test_unknown_drill_is_a_usage_error(stack: Any) -> None:
    """A name that is no alert ends with exit code 2 and names those that are."""
    done = stack.command("drill", "NoSuchAlert")
    assert done.returncode == 2
    assert "JudgmentHighErrorRate" in done.stderr
