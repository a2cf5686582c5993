"""Every command, make target, setting, metric and alert is documented; a failure names what is missing."""

import importlib
import inspect
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
    files = [
        *(ROOT / "services").glob("*/alerts.yml"),
        *(ROOT / "services").glob("*/slo_rules.yml"),
        *(ROOT / "config").glob("platform/alerts.yml"),
    ]
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


PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *(ROOT / "docs").glob("*.md"),
        *ROOT.glob("services/*/runbooks/*.md"),
        *ROOT.glob("config/platform/runbooks/*.md"),
    ]
)
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.M | re.S)
INLINE = re.compile(r"(?<!`)`([^`\n]+(?:\n[^`\n]+)?)`(?!`)")
WORDS = r"((?:'[^']*'|\"[^\"]*\"|[^#)|;&…'\"])*)"


def written(path: Path, program: str) -> list[list[str]]:
    """The words after `program` in each command of a page's code, in fences of sh and in lines."""
    text = path.read_text(encoding="utf-8").replace("\\\n", " ")
    lines = [line for tag, code in FENCE.findall(text) if tag in {"", "sh"} for line in code.splitlines()]
    lines += [" ".join(code.split()) for code in INLINE.findall(FENCE.sub("", text))]
    command = re.compile(rf"(?:^|[\s\"(])(?:\.venv/bin/)?{program} {WORDS}")
    return [shlex.split(found[1]) for line in lines if (found := command.search(line))]


def unknown_to_cli(words: list[str]) -> str:
    """What of a `firedrill` command does not exist, or nothing."""
    from typer.main import get_command  # noqa: PLC0415  # the CLI is read here only

    from firedrill.cli import cli  # noqa: PLC0415

    command: Any = get_command(cli)
    rest = list(words)
    while getattr(command, "commands", None) and rest and not rest[0].startswith("-"):
        name = rest.pop(0)
        if name not in command.commands:
            return name
        command = command.commands[name]
    options = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    given = [word.partition("=")[0] for word in rest if word.startswith("-")]
    return next((word for word in given if word not in options | {"--help"}), "")


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_every_command_on_a_page_exists(path: Path) -> None:
    """`firedrill` with its commands and options, `make` with its targets and variables."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    settings = (ROOT / ".env.example").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.M))
    for words in written(path, "firedrill"):
        assert not unknown_to_cli(words), f"firedrill {' '.join(words)}"
    for words in written(path, "make"):
        for word in words:
            name, is_variable, _ = word.partition("=")
            if is_variable:
                assert f"$({name})" in makefile or f"\n{name}=" in settings, f"make {' '.join(words)}"
            else:
                assert word in targets, f"make {' '.join(words)}"


def test_commands_are_found_on_the_pages() -> None:
    """The test above must not pass because it reads none; and it knows a wrong one."""
    guide = ROOT / "docs/on-call.md"
    assert len(written(guide, "firedrill")) > 30
    assert ["reload"] in written(guide, "make")
    assert not unknown_to_cli(["search", "{a='b'}", "--since", "1d"])
    assert unknown_to_cli(["fault", "clean", "fds"]) == "clean"
    assert unknown_to_cli(["search", "x", "--sinse", "1d"]) == "--sinse"


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
