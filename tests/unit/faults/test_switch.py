"""The switch: who sees a fault, until when, and what a broken file does."""

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from faults import BadParameterError, Fault, Parameter, Switch, UnknownFaultError
from faults.state import StateUnavailableError
from firedrill.wait import poll_until
from telemetry.metrics import Metrics

Make = Callable[[], Switch]
ENABLED = {"FAULTS_ENABLED": "1", "FAULTS_TOKEN": "t", "FAULTS_DIR": "/nonexistent"}


def test_nothing_is_active_at_first(make_switch: Make) -> None:
    """Without a state file no fault is active."""
    assert make_switch().active("slow_rules") is None


def test_set_fault_is_seen_at_once_by_the_one_that_set_it(make_switch: Make) -> None:
    """The process that sets a fault obeys it from the next question on, with defaults filled in."""
    switch = make_switch()
    switch.set("llm_errors", {"share": 0.5}, 60)
    assert switch.active("llm_errors") == {"share": 0.5, "count": 3, "model": "any"}
    assert switch.active("slow_rules") is None


def test_other_workers_see_it_within_a_tenth_of_a_second(make_switch: Make, clocks: Any) -> None:
    """A second switch on the same folder follows, setting and clearing."""
    first, second = make_switch(), make_switch()
    assert second.active("slow_rules") is None
    first.set("slow_rules", {}, 60)
    clocks.pass_by(0.11)
    assert second.active("slow_rules") == {"ms": 200.0}
    first.clear("slow_rules")
    clocks.pass_by(0.11)
    assert second.active("slow_rules") is None


def test_the_file_is_not_looked_at_more_often(make_switch: Make, clocks: Any) -> None:
    """Before a tenth of a second has passed the old answer stands."""
    first, second = make_switch(), make_switch()
    assert second.active("slow_rules") is None
    first.set("slow_rules", {}, 60)
    clocks.pass_by(0.05)
    assert second.active("slow_rules") is None


def test_a_fault_expires_by_itself(make_switch: Make, clocks: Any) -> None:
    """After its time to live a fault is gone for all, though the file is untouched."""
    first, second = make_switch(), make_switch()
    first.set("slow_rules", {}, 30)
    clocks.pass_by(29.9)
    assert first.active("slow_rules")
    assert second.active("slow_rules")
    clocks.pass_by(0.2)
    assert first.active("slow_rules") is None
    assert second.active("slow_rules") is None
    assert make_switch().active("slow_rules") is None


def test_the_gauge_follows_and_falls_to_zero_at_expiry(make_switch: Make, clocks: Any) -> None:
    """fault_active is 0 for every declared fault at start, 1 while set, 0 again after the expiry."""

    metrics = Metrics()
    switch = make_switch()
    switch.install(FastAPI(), metrics)

    def gauge() -> list[float | None]:
        metrics.expose(None)
        return [
            metrics.registry.get_sample_value("fault_active", {"fault": name})
            for name in ("llm_errors", "slow_rules")
        ]

    assert gauge() == [0, 0]
    make_switch().set("slow_rules", {}, 30)
    clocks.pass_by(0.2)
    assert gauge() == [0, 1]
    clocks.pass_by(30)
    assert gauge() == [0, 0]


def test_changes_are_counted_by_fault_and_begin_at_zero(make_switch: Make) -> None:
    """Clearing what is not set changes nothing and counts nothing; clearing all counts each."""
    metrics, switch = Metrics(), make_switch()
    switch.install(FastAPI(), metrics)

    def counted(fault: str) -> list[float | None]:
        return [
            metrics.registry.get_sample_value("fault_changes_total", {"fault": fault, "action": action})
            for action in ("set", "cleared")
        ]

    assert counted("slow_rules") == counted("llm_errors") == [0, 0]
    switch.clear("slow_rules")
    assert counted("slow_rules") == [0, 0]
    switch.set("slow_rules", {}, 60)
    switch.set("llm_errors", {}, 60)
    switch.clear("llm_errors")
    switch.clear()
    assert counted("slow_rules") == counted("llm_errors") == [1, 1]


def test_undeclared_fault_is_an_error(make_switch: Make) -> None:
    """A name that no one declared is a mistake of the program, also when faults are off."""
    with pytest.raises(UnknownFaultError):
        make_switch().active("typo")
    with pytest.raises(UnknownFaultError):
        Switch.from_environment("judgment", [], {}).active("typo")


def test_refused_parameter_sets_nothing(make_switch: Make) -> None:
    """A value out of bounds leaves what was set as it was."""
    switch = make_switch()
    switch.set("slow_rules", {"ms": 10}, 60)
    with pytest.raises(BadParameterError):
        switch.set("slow_rules", {"ms": 5001}, 60)
    with pytest.raises(BadParameterError):
        switch.set("llm_errors", {"share": 1.1}, 60)
    assert switch.active("slow_rules") == {"ms": 10.0}
    assert switch.active("llm_errors") is None


def test_clear_all(make_switch: Make) -> None:
    """Clearing without a name clears every fault."""
    switch = make_switch()
    switch.set("slow_rules", {}, 60)
    switch.set("llm_errors", {}, 60)
    switch.clear()
    assert switch.all_active() == {}


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"FAULTS_ENABLED": ""}, "FAULTS_ENABLED"),
        ({"FAULTS_ENABLED": "0"}, "FAULTS_ENABLED"),
        ({"FAULTS_TOKEN": ""}, "FAULTS_TOKEN"),
        ({"FAULTS_DIR": ""}, "FAULTS_DIR"),
        ({"ENVIRONMENT": "production"}, "production"),
        ({"ENVIRONMENT": " Production "}, "production"),
    ],
)
def test_off_unless_enabled(changed: dict[str, str], reason: str) -> None:
    """Each missing condition alone keeps faults off, and says which it is."""
    switch = Switch.from_environment("judgment", [Fault("a", "x")], {**ENABLED, **changed})
    assert reason in switch.why_disabled
    assert Switch.from_environment("judgment", [], ENABLED).why_disabled == ""


def test_disabled_switch_ignores_the_file(make_switch: Make, tmp_path: Path) -> None:
    """A file left by an enabled run does nothing where faults are off."""
    make_switch().set("slow_rules", {}, 60)
    environ = {**ENABLED, "FAULTS_DIR": str(tmp_path / "faults"), "ENVIRONMENT": "production"}
    faults = [Fault("slow_rules", "", (Parameter("ms", 1.0),))]
    assert Switch.from_environment("judgment", faults, environ).active("slow_rules") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b'{"active": 3}',
        b'{"active": {"nobody": {}}}',
        b'{"active": {"slow_rules": {"parameters": {"ms": -1}, "set_at": 0, "expires_at": 1800000060}}}',
        b'{"active": {"slow_rules": {"parameters": {}, "set_at": 0, "expires_at": 9e99}}}',
        b'{"active": {"slow_rules": {"parameters": {}, "set_at": 0, "expires_at": 1800009999}}}',
        b"[" * 50_000,
        b" " * 70_000,
    ],
)
def test_broken_file_means_no_fault_and_one_warning(
    make_switch: Make, clocks: Any, tmp_path: Path, lines: Any, content: bytes
) -> None:
    """Whatever is wrong with the file: no fault, one WARNING, and the next set replaces it."""
    (tmp_path / "faults").mkdir()
    path = tmp_path / "faults" / "judgment.json"
    path.write_bytes(content)
    switch = make_switch()
    for _ in range(5):
        clocks.pass_by(1)
        assert switch.active("slow_rules") is None
    assert [(line["level"], line["path"]) for line in lines.all()] == [("WARNING", str(path))]
    switch.set("slow_rules", {}, 60)
    assert switch.active("slow_rules")
    assert set(json.loads(path.read_text())["active"]) == {"slow_rules"}


def test_state_that_cannot_be_written_is_said(tmp_path: Path, make_switch: Make) -> None:
    """Where the folder should be stands a file: setting fails with a reason, asking does not."""
    (tmp_path / "faults").write_text("in the way")
    switch = make_switch()
    assert switch.active("slow_rules") is None
    with pytest.raises(StateUnavailableError, match="faults"):
        switch.set("slow_rules", {}, 60)
    assert switch.active("slow_rules") is None


def test_concurrent_changes_lose_nothing(tmp_path: Path) -> None:
    """Twenty writers with a switch each set twenty faults; all twenty are set afterwards."""
    declared = [Fault(f"fault_{number}", "") for number in range(20)]
    environ = {**ENABLED, "FAULTS_DIR": str(tmp_path)}
    barrier = threading.Barrier(20)

    def write(number: int) -> None:
        switch = Switch.from_environment("fds", declared, environ)
        barrier.wait()
        switch.set(f"fault_{number}", {}, 60)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Switch.from_environment("fds", declared, environ).all_active()) == 20
    assert {path.name for path in tmp_path.iterdir()} == {"fds.json", "fds.lock"}


_CHILD = """
import os, sys
from faults import Fault, Switch
switch = Switch.from_environment("fds", [Fault("slow", "")], os.environ)
for line in sys.stdin:
    print("on" if switch.active("slow") is not None else "off", flush=True)
"""


def test_two_processes_obey_one_file(tmp_path: Path) -> None:
    """What this process sets, another process sees, and sees it cleared."""
    environ = {**ENABLED, "FAULTS_DIR": str(tmp_path), "PYTHONPATH": str(Path(__file__).parents[3])}
    switch = Switch.from_environment("fds", [Fault("slow", "")], environ)
    with subprocess.Popen(
        [sys.executable, "-c", _CHILD], env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdin
        assert child.stdout

        def answer() -> str:
            print("?", file=child.stdin, flush=True)
            return child.stdout.readline().strip()  # type: ignore[union-attr]  # asserted above

        assert answer() == "off"
        switch.set("slow", {}, 60)
        poll_until(lambda: answer() == "on", "the other process sees the fault", 5, interval=0.02)
        switch.clear()
        poll_until(lambda: answer() == "off", "the other process sees it cleared", 5, interval=0.02)
        child.stdin.close()


def test_setting_and_clearing_is_logged(make_switch: Make, lines: Any) -> None:
    """Who reads the log of a broken service sees that it was broken on purpose."""
    switch = make_switch()
    switch.set("slow_rules", {"ms": 5}, 60)
    switch.clear("slow_rules")
    told = [(line["level"], line["message"], line["fault"]) for line in lines.all()]
    assert told == [("WARNING", "Fault set", "slow_rules"), ("INFO", "Fault cleared", "slow_rules")]
    assert lines.all()[0]["parameters"] == {"ms": 5.0}


def test_token_is_in_no_representation_and_no_log(make_switch: Make, lines: Any, tmp_path: Path) -> None:
    """The token can neither be printed by accident nor be found in a log line or the file."""
    switch = make_switch()
    switch.set("slow_rules", {}, 60)
    assert lines.all()
    assert b"a-token-for-tests" not in b"".join(lines.written)
    assert "a-token-for-tests" not in repr(switch) + repr(vars(switch))
    assert "a-token-for-tests" not in (tmp_path / "faults" / "judgment.json").read_text()
    assert switch.token_matches("a-token-for-tests")
    assert not switch.token_matches("a-token-for-test")
    assert not switch.token_matches("")
