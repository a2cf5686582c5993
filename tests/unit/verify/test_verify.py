"""verify passes in a whole world, and names what is broken in any other."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from rich.console import Console

from firedrill.errors import TopologyError
from firedrill.verify import verify
from firedrill.verify.declared import load_plan


class Result(NamedTuple):
    """What verify said."""

    code: int
    text: str
    failed: dict[str, dict[str, Any]]


def run(world: Any, *, deadline: float = 0.3) -> Result:
    """Verify `world` both ways: as text and as JSON."""
    out, machine = io.StringIO(), io.StringIO()
    for file, wanted in ((out, False), (machine, True)):
        code = verify(
            world,
            deadline_seconds=deadline,
            json_wanted=wanted,
            http=world.http(),
            console=Console(file=file, width=400, markup=False, highlight=False),
            interval=0.02,
            patience_seconds=0.1,
        )
    checks = json.loads(machine.getvalue())["checks"]
    return Result(code, out.getvalue(), {one["check"]: one for one in checks if one["result"] == "failed"})


def state(world: Any, phase: str, detail: str = "") -> Any:
    """A service's state as the world writes it."""
    return type(next(iter(world.state().values())))(phase, detail)


def test_whole_world_passes(world: Any) -> None:
    """Every check passes, exit code 0, and what was not looked at is listed with its reason."""
    result = run(world)
    assert result.failed == {}
    assert result.code == 0
    assert "0 failed" in result.text
    for note in ("TRACES=all", "on PATH", "make drill"):
        assert note in result.text


def test_one_request_is_sent_with_its_own_trace(world: Any) -> None:
    """The probe goes out once, sampled, with a number of its own in place of the placeholder."""
    run(world)
    first, second = world.requests  # one for each of the two runs
    assert first.headers["traceparent"].endswith("-01")
    assert first.headers["traceparent"] != second.headers["traceparent"]
    bodies = [json.loads(one.content) for one in (first, second)]
    assert bodies[0]["tenant_id"] == "probe"
    assert 1000 <= bodies[0]["amount"] <= 1100
    assert bodies[0]["amount"] != bodies[1]["amount"]


@pytest.mark.parametrize(
    ("service", "checks"),
    [
        ("promtail", {"judgment: logs"}),
        ("collector", {"judgment: trace in jaeger", "judgment: known to jaeger", "judgment: exemplar"}),
        ("judgment", {"judgment: request", "target judgment", "judgment: metrics"}),
        ("jaeger", {"judgment: trace in jaeger"}),
        ("loki", {"judgment: logs"}),
        ("inbox", {"inbox answers"}),
        ("alertmanager", {"alertmanager connected"}),
    ],
)
def test_held_service_is_named(world: Any, service: str, checks: set[str]) -> None:
    """A service that was stopped fails its checks by name, without waiting for the deadline."""
    world.phases[service] = state(world, "held", "stopped by hand")
    result = run(world, deadline=30)
    assert result.code == 1
    assert checks <= result.failed.keys()
    for name in checks:
        failure = result.failed[name]
        assert any(cause.startswith(f"service {service} is not running (held") for cause in failure["causes"])
        assert f"firedrill start {service}" in failure["todo"]
    assert f"service {service} is not running" in result.text


def test_only_the_broken_part_fails(world: Any) -> None:
    """Without Promtail the metrics and traces are still proven."""
    world.phases["promtail"] = state(world, "held")
    assert run(world).failed.keys() == {"judgment: logs", "canaries: loki", "services run"}


def test_restarting_service_is_waited_for(world: Any) -> None:
    """A phase that may pass is no reason to give up before the deadline, and is named after it."""
    world.phases["promtail"] = state(world, "restarting", "exit code 1")
    result = run(world)
    assert result.failed["judgment: logs"]["causes"] == [
        "service promtail is not running (restarting: exit code 1)"
    ]


def lose_exemplars(world: Any) -> None:
    world.exemplars = False


def lose_span(world: Any) -> None:
    world.spans = ("POST /x", "judgment.execute")


def lose_message(world: Any) -> None:
    world.messages = ("Request handled",)


def stand_still(world: Any) -> None:
    world.counters = False


def lose_header(world: Any) -> None:
    world.trace_header = False


def refuse(world: Any) -> None:
    world.status = 503


def break_rule(world: Any) -> None:
    world.rule_error = "many-to-many matching not allowed"


def lose_rule(world: Any) -> None:
    world.loaded = ("Other",)


def disconnect(world: Any) -> None:
    world.connected = False


@pytest.mark.parametrize(
    ("damage", "check", "words"),
    [
        (lose_exemplars, "judgment: exemplar", "no exemplar with trace id"),
        (lose_span, "judgment: trace in jaeger", "judgment.rule_execution"),
        (lose_message, "judgment: logs", "Judgment execution completed"),
        (stand_still, "judgment: metrics", "unmoved since verify began: judgment_executions_total"),
        (lose_header, "judgment: request", "X-Trace-Id is absent"),
        (refuse, "judgment: request", "HTTP 503"),
        (break_rule, "alert rules", "many-to-many"),
        (lose_rule, "alert rules", "JudgmentHighErrorRate (services/judgment/alerts.yml)"),
        (disconnect, "alertmanager connected", "no Alertmanager"),
    ],
)
def test_what_is_missing_is_named_with_its_query(
    world: Any, damage: Callable[[Any], None], check: str, words: str
) -> None:
    """A failed check says what is missing, gives the query to repeat it, and exits 1."""
    damage(world)
    result = run(world)
    assert result.code == 1
    assert words in result.failed[check]["detail"]
    assert result.failed[check]["query"]
    assert f"FAILED  {check}" in result.text


def test_started_tempo_must_have_the_trace(world: Any) -> None:
    """With TRACES=all both backends are asked."""
    world.started = world.started | {"tempo"}
    result = run(world)
    assert "Tempo has no trace" in result.failed["judgment: trace in tempo"]["detail"]
    assert "judgment: trace in jaeger" not in result.failed


def test_stale_target_fails(world: Any) -> None:
    """A scrape from before verify began proves nothing."""
    (world.root / "config/prometheus/targets/inbox.yml").write_text(
        "- targets: ['inbox:1']\n  labels: {system: s, job: inbox-service, instance: inbox}\n"
    )
    result = run(world)
    assert result.failed["target inbox"]["detail"] == "Prometheus does not know the target"
    assert "firedrill query 'up{" in result.failed["target inbox"]["query"]


def test_grafana_is_asked_for_its_datasources(world: Any) -> None:
    """Only those of started backends; a wrong password is told in Grafana's own words."""
    world.started = world.started | {"grafana"}
    world.settings["GRAFANA_PASSWORD"] = "secret"
    assert run(world).failed == {}
    world.settings["GRAFANA_PASSWORD"] = "wrong"
    failed = run(world).failed
    assert failed.keys() == {"grafana datasource prometheus"}
    assert "Invalid username or password" in failed["grafana datasource prometheus"]["detail"]


def test_bad_probe_file_is_named(tmp_path: Path) -> None:
    """A probe.yml without its keys stops verify with the file's path."""
    path = tmp_path / "probe.yml"
    path.write_text("job: x\n")
    with pytest.raises(TopologyError) as caught:
        load_plan(path)
    assert str(path) in caught.value.what


def test_answer_in_an_unknown_shape_is_a_failed_check(world: Any) -> None:
    """A backend that answers something else is a finding, not a traceback."""
    world.nonsense = "loki"
    failed = run(world, deadline=2).failed
    assert failed.keys() == {"judgment: logs", "canaries: loki"}
    assert "a shape that verify does not know" in failed["judgment: logs"]["detail"]


def test_terminal_shows_what_is_waited_for(world: Any) -> None:
    """In a terminal a table names the checks that have not ended, what they miss and the seconds left."""
    out = io.StringIO()
    world.exemplars = False
    code = verify(
        world,
        deadline_seconds=1.0,
        json_wanted=False,
        http=world.http(),
        console=Console(file=out, force_terminal=True, width=160, markup=False, highlight=False),
        interval=0.02,
    )
    text = out.getvalue()
    assert code == 1
    assert "1 waiting" in text
    assert "s left" in text
    assert "no exemplar with trace id" in text


def test_pipe_says_the_deadline_first(world: Any) -> None:
    """In a pipe the first line says how long verify will wait."""
    assert run(world).text.splitlines()[0].endswith("checks")
    assert "s left for" in run(world).text.splitlines()[0]
