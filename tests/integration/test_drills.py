"""Drills on the real stack: a representative set passes, and what is broken on purpose fails at its step."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console

from firedrill.clients import open_http
from firedrill.drill.command import run_all
from firedrill.drill.declared import chosen, declared_drills, read_drills
from firedrill.drill.live import surroundings
from firedrill.drill.model import Drill
from firedrill.drill.runner import BELOW
from firedrill.pace.check import PROJECT
from firedrill.wait import poll_until

# One of each kind: a ratio that pages, a count, a rate, a state without window, a process, and the heartbeat.
REPRESENTATIVE = (
    "JudgmentHighErrorRate", "FDSSLAViolation", "HighErrorRate", "CircuitBreakerOpen", "TargetDown",
    "Watchdog",
)  # fmt: skip


def test_representative_drills_pass(stack: Any, tmp_path: Path) -> None:
    """Side by side, with exit code 0; their times stand beside their bounds."""
    report = tmp_path / "report"
    done = stack.command("drill", *REPRESENTATIVE, "--report", str(report), seconds=600)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found = json.loads(report.with_suffix(".json").read_text("utf-8"))
    assert {one["alert"] for one in found["drills"]} == set(REPRESENTATIVE)
    for one in found["drills"]:
        assert one["ratios"]["notified"] <= 3, one["alert"]
        assert one["ratios"]["cleared"] <= 3, one["alert"]
        assert not [note for note in one["notes"] if BELOW in note], one["alert"]
    assert report.with_suffix(".xml").exists()


def test_an_alert_whose_end_was_never_told_is_drilled_anew(stack: Any) -> None:
    """Told as firing, then Alertmanager stops: it remembers that it told, and nothing of the alert.

    As when the stack is stopped while an alert fires. Without help no page would come for a repeat_interval.
    """
    alert = "CircuitBreakerOpen"
    inbox, alertmanager = (stack.view().url(name) for name in ("inbox", "alertmanager"))

    def newest() -> dict[str, Any]:
        wanted = {"alertname": alert, "limit": 1}
        found = stack.http.get(f"{inbox}/api/v1/messages", params=wanted).json()["messages"]
        return found[0] if found else {"status": "", "labels": {}}

    labels = {**newest()["labels"], "alertname": alert}
    assert labels["service"] == "workflow", "its drill did not run before"
    ends = datetime.fromtimestamp(time.time() + 3600, UTC).isoformat()
    fires = [{"labels": labels, "endsAt": ends}]
    stack.http.post(f"{alertmanager}/api/v2/alerts", json=fires).raise_for_status()
    # Its last end may have been told a moment ago; the group is then looked at a group_interval later.
    poll_until(lambda: newest()["status"] == "firing", "told as firing", 45)
    stack.must("stop", "alertmanager")
    stack.must("start", "alertmanager")
    done = stack.command("drill", alert, seconds=300)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    said = " ".join(done.stdout.split())
    assert f"{alert} was told as firing and never as ended" in said


def test_unknown_drill_is_a_usage_error(stack: Any) -> None:
    """A name that is no alert ends with exit code 2 and names those that are."""
    done = stack.command("drill", "NoSuchAlert")
    assert done.returncode == 2
    assert "JudgmentHighErrorRate" in done.stderr


def test_what_is_broken_fails_its_drill_at_the_step_that_shows_it(stack: Any, tmp_path: Path) -> None:
    """A threshold times ten, a wrong label, a wrong receiver, a text that Slack refuses, an empty query."""
    view = stack.view()
    # CircuitBreakerOpen's notice goes to the receiver of its system's other alerts.
    receivers = ("receiver: ai-factory-warning", "receiver: ai-factory-other")
    # Slack takes no text of more than 40,000 characters.
    channel = "    channel: '#platform'\n"
    template = (channel, f"{channel}    pretext: '{'x' * 50_000}'\n")
    with (
        edited(view, "prometheus", ("> 10\n", "> 100\n"), slice_="fds"),
        edited(view, "prometheus", ("severity: warning", "severity: info"), slice_="ecommerce"),
        edited(view, "alertmanager", receivers, template),
    ):
        reload(stack, view)
        drills = [*chosen(declared_drills(PROJECT), ["FDSSLAViolation", "HighErrorRate", "CircuitBreakerOpen",
                                                     "TargetDown"]), without_data(tmp_path)]  # fmt: skip
        failed = failures(view, drills, tmp_path)
    reload(stack, view)
    assert {name: one["failed_step"] for name, one in failed.items()} == {
        "FDSSLAViolation": "pending",
        "HighErrorRate": "calm",
        "CircuitBreakerOpen": "notified",
        "TargetDown": "notified",
        "JudgmentHighErrorRate": "runbook",
    }
    words = {
        "FDSSLAViolation": "the rule asks > 100",
        "HighErrorRate": "no rule HighErrorRate with the labels",
        "CircuitBreakerOpen": "went to slack of receiver ai-factory-other",
        "TargetDown": "missing: slack of receiver platform-critical, channel platform",
        "JudgmentHighErrorRate": "gives no data",
    }
    for name, said in words.items():
        assert said in failed[name]["failure"], name


def failures(view: Any, drills: list[Drill], folder: Path) -> dict[str, Any]:
    """The results of drills that all fail, by alert."""
    report = folder / "broken"
    with open_http() as http, (folder / "said").open("w", encoding="utf-8") as said:
        code = run_all(
            Console(file=said),
            drills,
            surroundings(view, http),
            pace=view.pace,
            results=folder / "results",
            reports=[report],
        )
    assert code == 1
    found = json.loads(report.with_suffix(".json").read_text("utf-8"))
    return {one["alert"]: one for one in found["drills"]}


def without_data(folder: Path) -> Drill:
    """The drill of JudgmentHighErrorRate with a runbook that asks for what nobody logs."""
    copy = folder / "services" / "judgment"
    shutil.copytree(
        PROJECT / "services" / "judgment", copy, ignore=shutil.ignore_patterns("*.py", "__pycache__")
    )
    page = copy / "runbooks" / "JudgmentHighErrorRate.md"
    text = page.read_text("utf-8")
    nobody = "```logql\n{service='nobody'}\n```\n\n```text\n".replace("'", '"')
    page.write_text(text.replace("```logql\n", nobody, 1), "utf-8")
    [drill] = chosen(read_drills(copy / "drills.yml"), ["JudgmentHighErrorRate"])
    return drill


@contextmanager
def edited(view: Any, component: str, *changes: tuple[str, str], slice_: str = "") -> Iterator[None]:
    """A component's own copy of a file with other words, and as it was afterwards."""
    folder = view.state_folder / "config" / component
    name = "alertmanager.yml" if component == "alertmanager" else "alerts.yml"
    [path] = [one for one in folder.rglob(name) if not slice_ or one.parent.name == slice_]
    before = path.read_text("utf-8")
    text = before
    for old, new in changes:
        assert old in text, f"{path} has no {old!r}"
        text = text.replace(old, new)
    path.write_text(text, "utf-8")
    try:
        yield
    finally:
        path.write_text(before, "utf-8")


def reload(stack: Any, view: Any) -> None:
    """Both components read their files again; the rules have been evaluated once."""
    for name in ("prometheus", "alertmanager"):
        stack.http.post(f"{view.url(name)}/-/reload").raise_for_status()

    def evaluated() -> bool:
        groups = stack.http.get(f"{view.url('prometheus')}/api/v1/rules").json()["data"]["groups"]
        return all(rule["health"] == "ok" for group in groups for rule in group["rules"])

    poll_until(evaluated, "rules evaluated after the reload", 90)
