"""promtool and amtool: checks and tests of rules and routes, with their answers parsed."""

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from firedrill.binaries import locate
from firedrill.errors import CheckFailed, EnvironmentProblem

_DEADLINE_SECONDS = 120.0
_COMPONENTS = {"promtool": "prometheus", "amtool": "alertmanager"}


@dataclass(frozen=True)
class Case:
    """One test of a promtool test file; `failures` are promtool's own words, empty when it passed."""

    name: str
    failures: tuple[str, ...]


def tool(name: str) -> Path:
    """The binary `promtool` or `amtool`. Raises EnvironmentProblem that says how to get it."""
    found = locate(name)
    if found is None:
        raise EnvironmentProblem(
            f"{name} is not on this machine",
            "it is neither on PATH in the pinned version nor in the cache",
            f"firedrill build {_COMPONENTS[name]}",
        )
    return found


def check_rules(files: Sequence[Path]) -> None:
    """Raises CheckFailed with promtool's words when a rule file is invalid or a lint finds something."""
    _checked("promtool", ["check", "rules", "--lint=all", "--lint-fatal", *map(str, files)], "rules")


def check_config(file: Path) -> None:
    """prometheus.yml with its rule files, syntax and lints. Raises CheckFailed."""
    _checked("promtool", ["check", "config", "--lint=all", "--lint-fatal", str(file)], str(file.name))


def check_alertmanager(file: Path) -> None:
    """alertmanager.yml and its templates. Raises CheckFailed."""
    _checked("amtool", ["check-config", str(file)], str(file.name))


def receivers(file: Path, labels: Mapping[str, str]) -> list[str]:
    """The receivers to which Alertmanager would send an alert with `labels`, in the tree's order."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    answer = _checked("amtool", ["config", "routes", "test", f"--config.file={file}", *pairs], str(file.name))
    return answer.strip().split(",")


def render(template_file: Path, text: str, data: Path) -> str:
    """`text` rendered with the templates of a file for the notification in `data`, by Alertmanager."""
    arguments = [f"--template.glob={template_file}", f"--template.text={text}", f"--template.data={data}"]
    return _checked("amtool", ["template", "render", *arguments], template_file.name)


def run_tests(test_file: Path) -> list[Case]:
    """The cases of a promtool test file with their failures.

    Raises CheckFailed when promtool cannot run the file at all (syntax, a missing rule file).
    """
    junit = test_file.with_name(test_file.name + ".junit.xml")
    try:
        ran = _run("promtool", ["test", "rules", f"--junit={junit}", str(test_file)])
        if not junit.exists():
            raise CheckFailed(f"promtool could not run {test_file.name}", _said(ran), "correct the file")
        cases = _cases(junit)
    finally:
        junit.unlink(missing_ok=True)
    if ran.returncode and not any(case.failures for case in cases):
        raise CheckFailed(f"promtool could not run {test_file.name}", _said(ran), "correct the file")
    return cases


def _cases(junit: Path) -> list[Case]:
    root = ElementTree.parse(junit).getroot()
    return [
        Case(case.get("name", ""), tuple((failure.text or "") for failure in case.iter("failure")))
        for case in root.iter("testcase")
    ]


def _checked(name: str, arguments: Sequence[str], what: str) -> str:
    ran = _run(name, arguments)
    if ran.returncode:
        raise CheckFailed(f"{name} refuses {what}", _said(ran), "correct what it names")
    return ran.stdout


def _run(name: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    command = [str(tool(name)), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_DEADLINE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        what = f"{name} did not end within {_DEADLINE_SECONDS:g} s"
        raise CheckFailed(what, "the machine is very busy", "try again when it is not") from None


def _said(ran: subprocess.CompletedProcess[str]) -> str:
    lines = (ran.stdout + "\n" + ran.stderr).strip().splitlines()
    return "; ".join(line.strip() for line in lines if line.strip())[-2000:]
