"""Every command, make target, setting, metric and alert is documented; a failure names what is missing."""

import importlib
import inspect
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


def check_documented(names: Iterable[str], docs: str) -> None:
    """Fail with the names that do not occur as whole words in the documents."""
    missing = [name for name in names if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", docs)]
    if missing:
        pytest.fail(f"not in README.md, CONTRIBUTING.md or docs/: {', '.join(missing)}", pytrace=False)


def test_every_command_is_documented(docs: str) -> None:
    """`firedrill <command>` for each command of the CLI."""
    from typer.main import get_command  # noqa: PLC0415  # the CLI is read here only

    from firedrill.cli import cli  # noqa: PLC0415

    commands = getattr(get_command(cli), "commands", {})
    names = [name for name, command in commands.items() if not command.hidden]
    assert names
    check_documented((f"firedrill {name}" for name in names), docs)


def test_every_make_target_is_documented(docs: str) -> None:
    """`make <target>` for each target that `make help` shows."""
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z-]+):.*## ", text, re.M)
    assert targets
    check_documented((f"make {name}" for name in targets), docs)


def test_every_setting_is_documented(docs: str) -> None:
    """Each setting of .env.example occurs in the documents."""
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    check_documented(re.findall(r"^([A-Z][A-Z0-9_]*)=", text, re.M), docs)


@pytest.mark.parametrize("service", SLICES)
def test_every_metric_is_documented(docs: str, service: str) -> None:
    """What a slice declares, expected or of its own."""
    module = importlib.import_module(f"services.{service}.signals")
    metrics = Metrics()
    own = {family.name for family in metrics.registry.collect()}
    takes_clock = "clock" in inspect.signature(module.Signals).parameters
    module.Signals(metrics, **({"clock": lambda: 0.0} if takes_clock else {}))
    families = [family for family in metrics.registry.collect() if family.name not in own]
    names = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    expected = yaml.safe_load((ROOT / "tests/contract/expected_signals.yaml").read_text(encoding="utf-8"))
    names |= set(expected["services"].get(service, {}).get("metrics", ()))  # gauges without a value yet too
    check_documented(sorted(names), docs)


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
    check_documented(sorted(alerts), docs)


def test_every_fault_is_documented(docs: str) -> None:
    """Each fault that can be switched on."""
    names = [
        fault.name
        for path in sorted((ROOT / "services").glob("*/faults.py"))
        for fault in importlib.import_module(f"services.{path.parent.name}.faults").FAULTS
    ]
    assert names
    check_documented(names, docs)


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
