"""`firedrill verify` on the real stack: it passes, and it names what was stopped."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from firedrill.verify.check import Check, Missing
from firedrill.verify.plan import make_panels
from firedrill.wait import poll_until


def test_verify_passes(stack: Any) -> None:
    """Every check holds within its own deadline, in both trace backends."""
    done = stack.command("verify", "--json")
    result = json.loads(done.stdout)
    assert [one for one in result["checks"] if one["result"] == "failed"] == []
    assert done.returncode == 0
    names = {one["check"] for one in result["checks"]}
    for service in ("judgment", "fds"):
        for check in ("request", "metrics", "logs", "trace in jaeger", "trace in tempo", "exemplar"):
            assert f"{service}: {check}" in names
    for check in ("dashboard fds-performance", "examples fds", "link: trace to logs", "link: service graph"):
        assert check in names
    for row in result["dashboards"]:
        assert row["asked"] == row["with_data"] + len(row["excused"]), row
        assert row["not_asked"] == 0, row
    assert "alertmanager connected" in names
    assert "inbox answers" in names


@pytest.mark.parametrize(
    ("service", "check"),
    [
        ("promtail", "fds: logs"),
        ("collector", "judgment: trace in jaeger"),
        ("fds", "fds: request"),
    ],
)
def test_stopped_service_is_named(stack: Any, service: str, check: str) -> None:
    """With a service stopped verify fails by its name; once it runs again verify passes."""
    stack.must("stop", service)
    try:
        done = stack.command("verify", "--json", "--deadline", "30")
        assert done.returncode == 1
        failed = {one["check"]: one for one in json.loads(done.stdout)["checks"] if one["result"] == "failed"}
        assert check in failed
        assert any(f"service {service} is not running" in cause for cause in failed[check]["causes"])
        assert f"firedrill start {service}" in failed[check]["todo"]
        text = stack.command("verify", "--deadline", "10").stdout
        assert f"service {service} is not running" in text
        unrelated = "judgment: metrics"
        assert unrelated not in failed
    finally:
        stack.must("start", service)
    poll_until(lambda: stack.view().state()[service].phase == "ready", f"{service} is ready again", 90)
    done = stack.command("verify")
    assert done.returncode == 0, done.stdout


def test_a_panel_that_shows_nothing_is_named_with_its_query(stack: Any, tmp_path: Path) -> None:
    """One that asks for a series that nobody has, and one that cannot be read; in a copy of the project."""
    view = stack.view()
    for folder in ("dashboards", "config/grafana", "config/prometheus"):
        shutil.copytree(view.root / folder, tmp_path / folder)
    board = tmp_path / "dashboards/shopfds/fds-performance.json"
    text = board.read_text("utf-8")
    assert "fds_sla_violations_total[" in text
    board.write_text(text.replace("fds_sla_violations_total[", "fds_late_total["), "utf-8")
    empty = check_of(stack, tmp_path).attempt()
    assert isinstance(empty, Missing)
    assert "'SLA violations': no data: prometheus sum(increase(fds_late_total[5m]))" in empty.what
    assert "fds_late_total" in empty.query
    assert "Latency" not in empty.what
    board.write_text(text.replace("sum(increase(fds_sla_violations_total[5m]))", "sum(increase("), "utf-8")
    failing = check_of(stack, tmp_path).attempt()
    assert isinstance(failing, Missing)
    assert failing.final
    assert "'SLA violations': HTTP 400" in failing.what


def check_of(stack: Any, root: Path) -> Check:
    """The check of fds's dashboard, as the project at `root` has it, on the running stack."""
    found = make_panels(replace(stack.view(), root=root), http=stack.http).checks
    return next(one for one in found if one.name == "dashboard fds-performance")


def test_queries_show_what_verify_proves(stack: Any) -> None:
    """query, search and trace print one request's signals, whole and without colours in a pipe."""
    result = json.loads(stack.must("verify", "--json"))
    request = next(one for one in result["checks"] if one["check"] == "judgment: request")
    trace_id = request["detail"].split()[-1]
    waterfall = stack.must("trace", trace_id)
    for name in ("judgment.execute", "judgment.rule_execution", "judgment.llm_call"):
        assert name in waterfall
    lines = stack.must("search", f'{{service="judgment"}} | trace_id="{trace_id}"')
    assert "Judgment execution completed" in lines
    assert "judgment-service" in stack.must("query", "up")
    assert "\x1b" not in waterfall + lines


def test_bad_queries_end_with_the_backends_words(stack: Any) -> None:
    """A query that cannot be parsed, an unknown trace and a bad id each end with their own exit code."""
    done = stack.command("query", "sum((")
    assert done.returncode == 1
    assert "parse error" in done.stderr
    assert stack.command("trace", "0" * 31 + "1").returncode == 1
    assert stack.command("trace", "xyz").returncode == 2
    assert stack.command("query", "no_such_metric").returncode == 0
