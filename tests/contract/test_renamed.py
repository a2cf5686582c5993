"""A metric renamed in a slice, on a copy of the project: the checks name what lost it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.contract.conftest import tracked_files

LOST = (
    "fds-performance: SLA violations",
    "rule FDSSLAViolation",
    "runbook FDSSLAViolation",
    "drill FDSSLAViolation",
)
SAID = "no slice, rule or component declares the metric 'fds_sla_violations_total'"


def test_panels_and_rules_that_lost_a_metric_are_named(root: Path, tmp_path: Path) -> None:
    """The test of the copy fails, says each of them, and passed before."""
    for file in tracked_files(root):
        target = tmp_path / file.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
    assert "2 passed" in checked(tmp_path)
    signals = tmp_path / "services/fds/signals.py"
    text = signals.read_text("utf-8")
    assert text.count('"fds_sla_violations_total"') == 1
    signals.write_text(text.replace('"fds_sla_violations_total"', '"fds_late_total"'), "utf-8")
    said = checked(tmp_path)
    assert "2 failed" in said
    assert [place for place in LOST if f"{place}: {SAID}" not in said] == []


def checked(project: Path) -> str:
    """What the tests of references say in a copy of the project."""
    tests = "tests/contract/test_dashboards.py"
    names = (
        "test_dashboards_and_rules_name_only_what_exists",
        "test_runbooks_and_drills_name_only_what_exists",
    )
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    command += ["-p", "no:xdist", *(f"{tests}::{name}" for name in names)]
    # The copy's own packages come first, though this project is installed for this Python.
    environ = {**os.environ, "PYTHONPATH": str(project)}
    done = subprocess.run(command, cwd=project, env=environ, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr
