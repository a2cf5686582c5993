"""`firedrill pace check`: rules, prometheus.yml and alertmanager.yml at both paces, by their own tools."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from firedrill import promtool
from firedrill.errors import CheckFailed

from .documents import PACES, pace_file

RULE_FILES = ("alerts.yml", "slo_rules.yml")
PROJECT = Path(__file__).resolve().parents[2]


def main(root: Path | None = None) -> int:
    """Check the project at `root` and say what was checked; 1 when promtool or amtool refuse something.

    Raises EnvironmentProblem when one of them is not on this machine, TopologyError for a file without
    a known pace.
    """
    project = root or PROJECT
    failed = 0
    for pace in PACES:
        with tempfile.TemporaryDirectory(prefix="firedrill-pace-") as folder:
            copies = materialise(project, Path(folder), pace)
            for what, check in copies:
                try:
                    check()
                except CheckFailed as problem:
                    failed += 1
                    print(f"{pace:<10}  {what}: FAILED\n{problem}")
                else:
                    print(f"{pace:<10}  {what}: ok")
    return 1 if failed else 0


class _Check:
    """One file that one tool looks at."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self) -> None:
        checks = {"prometheus.yml": promtool.check_config, "alertmanager.yml": promtool.check_alertmanager}
        if self.path.name in checks:
            checks[self.path.name](self.path)
        else:
            promtool.check_rules([self.path])


def materialise(project: Path, folder: Path, pace: str) -> list[tuple[str, _Check]]:
    """Copy rules and configs at `pace` into `folder`, as Prometheus and Alertmanager will find them.

    Returns what can be checked, each with its name.
    """
    checks = []
    for source, copy in _copies(project, folder):
        copy.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, copy, dirs_exist_ok=True)
            continue
        copy.write_text(pace_file(source.relative_to(project), source.read_text("utf-8"), pace), "utf-8")
        checks.append((str(source.relative_to(project)), _Check(copy)))
    return checks


def rule_files(project: Path) -> list[Path]:
    """Every slice's rules, the platform's included: `alerts.yml`, and `slo_rules.yml` where there is one."""
    folders = [*sorted(project.glob("services/*")), project / "config/platform"]
    return [folder / name for folder in folders for name in RULE_FILES if (folder / name).is_file()]


def _copies(project: Path, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Sources and copies; prometheus.yml names its rule files relative to itself."""
    for rules in rule_files(project):
        yield rules, folder / "prometheus" / rules.relative_to(project)
    for source in (
        "prometheus/targets",
        "alertmanager/templates",
        "prometheus/prometheus.yml",
        "alertmanager/alertmanager.yml",
    ):
        if (project / "config" / source).exists():
            yield project / "config" / source, folder / source
