"""Every command, make target, setting, metric and alert is documented; a failure names what is missing."""

import importlib
import re
from collections.abc import Iterable
from pathlib import Path

import pytest
import yaml

from telemetry.metrics import Metrics

ROOT = Path(__file__).parents[2]
SLICES = sorted(path.parent.name for path in (ROOT / "services").glob("*/signals.py"))


@pytest.fixture(scope="module")
def docs() -> str:
    """README, CONTRIBUTING and docs/ as one text."""
    pages = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages if page.is_file())


def undocumented(names: Iterable[str], docs: str) -> list[str]:
    """The names that do not occur as whole words in the documents."""
    return [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", docs)]


def test_every_command_is_documented(docs: str) -> None:
    """`firedrill <command>` for each command of the CLI."""
    from typer.main import get_command  # noqa: PLC0415  # the CLI is read here only

    from firedrill.cli import app  # noqa: PLC0415

    commands = getattr(get_command(app), "commands", {})
    names = [name for name, command in commands.items() if not command.hidden]
    assert names
    assert not undocumented((f"firedrill {name}" for name in names), docs)


def test_every_make_target_is_documented(docs: str) -> None:
    """`make <target>` for each target that `make help` shows."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", text, re.M)
    assert targets
    assert not undocumented((f"make {name}" for name in targets), docs)


def test_every_setting_is_documented(docs: str) -> None:
    """Each setting of .env.example occurs in the documents."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    assert not undocumented(re.findall(r"^([A-Z][A-Z0-9_]*)=", text, re.M), docs)


@pytest.mark.parametrize("service", SLICES)
def test_every_metric_is_documented(docs: str, service: str) -> None:
    """What a slice declares, expected or of its own."""
    module = importlib.import_module(f"services.{service}.signals")
    metrics = Metrics()
    own = {family.name for family in metrics.registry.collect()}
    module.Signals(metrics, clock=lambda: 0.0)
    families = [family for family in metrics.registry.collect() if family.name not in own]
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert not undocumented(sorted(names), docs)


def test_every_alert_is_documented(docs: str) -> None:
    """Each alert by name, beside its runbook."""
    files = [*(ROOT / "services").glob("*/alerts.yml"), *(ROOT / "config").glob("platform/alerts.yml")]
    alerts = [
        rule["alert"]
        for path in files
        for group in yaml.safe_load(path.read_text(encoding="utf-8"))["groups"]
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert alerts
    assert not undocumented(sorted(alerts), docs)


def test_every_fault_is_documented(docs: str) -> None:
    """Each fault that can be switched on."""
    names = [
        fault.name
        for path in sorted((ROOT / "services").glob("*/faults.py"))
        for fault in importlib.import_module(f"services.{path.parent.name}.faults").FAULTS
    ]
    assert names
    assert not undocumented(names, docs)


def test_readme_is_short(docs: str) -> None:
    """At most 150 lines, and it names the two commands."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    assert "make up" in text
    assert "make verify" in text


def test_links_between_documents_lead_somewhere() -> None:
    """Relative links in Markdown point to files that exist."""
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "services").rglob("*.md")]
    broken = [
        f"{page.relative_to(ROOT)}: {target}"
        for page in pages
        for target in re.findall(r"\]\((?!https?://|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]
    assert not broken
