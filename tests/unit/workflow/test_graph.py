"""What comes next in an instance: joins, branches, timers, failures; and what no definition may be."""

from datetime import timedelta

import pytest

from services.workflow.catalogue import GUARDED, WORKFLOWS
from services.workflow.domain import NodeState, NodeStatus, NodeType, Status
from services.workflow.graph import (
    After,
    Branch,
    Call,
    Condition,
    Definition,
    Judge,
    Node,
    Operator,
    Plan,
    Wait,
    plan,
)
from tests.unit.workflow.fakes import START

RISKY = Condition("input", "risk", Operator.AT_LEAST, 0.5)
DIAMOND = Definition(
    "diamond",
    "Two ways that meet again",
    (),
    (
        Node("first", Call("erp", "create")),
        Node("fork", Branch((("slow", RISKY),), otherwise="quick"), (After("first"),)),
        Node("rest", Wait(10.0), (After("fork", "slow"),)),
        Node("hurry", Call("erp", "hurry"), (After("fork", "quick"),)),
        Node("last", Call("erp", "close"), (After("rest"), After("hurry"))),
    ),
)


def done(node_id: str, result: dict[str, float | str | bool] | None = None) -> NodeState:
    """A node that has its result."""
    return NodeState(node_id, NodeType.CALL, NodeStatus.DONE, START, result=result, ended_at=START)


def states_of(found: Plan) -> dict[str, str]:
    """The states that a plan changed."""
    return {one.node_id: str(one.status) for one in found.changed}


def test_nothing_begins_before_what_it_comes_after() -> None:
    """At first only the node that comes after nothing is ready."""
    found = plan(DIAMOND, {"risk": 0.1}, {}, now=START)
    assert [node.id for node in found.ready] == ["first"]
    assert found.outcome is None


def test_a_branch_picks_and_the_other_way_is_skipped() -> None:
    """The way not taken is skipped at once, and the one taken begins."""
    found = plan(DIAMOND, {"risk": 0.1}, {"first": done("first")}, now=START)
    assert states_of(found) == {"fork": "done", "rest": "skipped", "hurry": "running"}
    assert [node.id for node in found.ready] == ["hurry"]


def test_a_timer_ends_when_it_is_due_and_not_before() -> None:
    """The time is that of its begin, however often it is looked at."""
    first = plan(DIAMOND, {"risk": 0.9}, {"first": done("first")}, now=START)
    known = {"first": done("first")} | {one.node_id: one for one in first.changed}
    assert first.due_at == START + timedelta(seconds=10)
    assert plan(DIAMOND, {"risk": 0.9}, known, now=START + timedelta(seconds=9)).changed == []
    late = plan(DIAMOND, {"risk": 0.9}, known, now=START + timedelta(seconds=10))
    assert [node.id for node in late.ready] == ["last"]


def test_a_join_needs_one_way_that_leads_there() -> None:
    """A skipped way does not hold up the join, and the end comes when all is settled."""
    known = {name: done(name) for name in ("first", "hurry", "last")}
    known["fork"] = done("fork", {"choice": "quick"})
    assert plan(DIAMOND, {"risk": 0.1}, known, now=START).outcome is Status.COMPLETED


def test_what_is_busy_is_not_begun_again_but_what_was_interrupted_is() -> None:
    """The difference between our own work and that of a process that died."""
    running = {"first": NodeState("first", NodeType.CALL, NodeStatus.RUNNING, START)}
    assert plan(DIAMOND, {}, running, now=START, busy=frozenset({"first"})).ready == []
    assert [node.id for node in plan(DIAMOND, {}, running, now=START).ready] == ["first"]


def test_after_a_failure_nothing_begins_and_the_end_waits_for_what_is_busy() -> None:
    """A sibling may finish; then the instance fails and names the node."""
    both = Definition("both", "Two at once", (), (Node("one", Call("a", "b")), Node("two", Call("a", "b"))))
    known = {
        "one": NodeState("one", NodeType.CALL, NodeStatus.FAILED, START, failure="no answer"),
        "two": NodeState("two", NodeType.CALL, NodeStatus.RUNNING, START),
    }
    waiting = plan(both, {}, known, now=START, busy=frozenset({"two"}))
    assert (waiting.outcome, waiting.ready) == (None, [])
    ended = plan(both, {}, known, now=START)
    assert (ended.outcome, ended.failure) == (Status.FAILED, "one: no answer")


@pytest.mark.parametrize(
    ("operator", "value", "risk", "holds"),
    [
        (Operator.AT_LEAST, 0.5, 0.5, True),
        (Operator.LESS, 0.5, 0.5, False),
        (Operator.LESS, 0.5, 0.4, True),
        (Operator.IS, "high", "high", True),
        (Operator.AT_LEAST, 0.5, "high", False),
    ],
)
def test_conditions(operator: Operator, value: float | str, risk: float | str, holds: bool) -> None:
    """Numbers are compared with numbers; anything else never holds but by being the same."""
    assert Condition("input", "risk", operator, value).holds({"risk": risk}, {}) is holds


def test_a_condition_on_what_is_not_there_does_not_hold() -> None:
    """A skipped source has no result."""
    assert not Condition("first", "verdict", Operator.IS, "approved").holds({}, {})


@pytest.mark.parametrize(
    ("nodes", "named"),
    [
        ((Node("a", Wait(1)), Node("a", Wait(1))), "twice"),
        ((Node("input", Wait(1)),), "reserved"),
        ((Node("a", Wait(1), (After("b"),)), Node("b", Wait(1))), "earlier"),
        ((Node("a", Wait(1)), Node("b", Wait(1), (After("a", "yes"),))), "earlier"),
        ((Node("a", Branch((), "yes")), Node("b", Wait(1), (After("a", "no"),))), "earlier"),
        ((Node("a", Judge("credit-check", ("score",))),), "judges fields"),
        ((Node("a", Branch((("x", Condition("b", "c", Operator.IS, 1.0)),), "y")),), "looks at"),
    ],
)
def test_what_could_never_run_is_refused(nodes: tuple[Node, ...], named: str) -> None:
    """A cycle cannot be written down at all: nodes come after earlier ones."""
    with pytest.raises(ValueError, match=named):
        Definition("broken", "Never runs", (), nodes)


def test_every_node_id_with_a_peer_is_of_one_workflow() -> None:
    """The breakers' label does not name the workflow."""
    peers = {NodeType.JUDGE, NodeType.CALL}
    guarded = [n.id for w in WORKFLOWS.values() for n in w.nodes if n.type in peers]
    assert sorted(guarded) == sorted(GUARDED)


@pytest.mark.parametrize("workflow_id", WORKFLOWS)
@pytest.mark.parametrize("verdict", ["approved", "review", "rejected"])
def test_each_workflow_comes_to_its_end_whatever_is_decided(workflow_id: str, verdict: str) -> None:
    """No verdict leads into a dead end."""
    definition, now = WORKFLOWS[workflow_id], START
    case = {field.name: field.default for field in definition.fields}
    known: dict[str, NodeState] = {}
    for _ in range(30):
        found = plan(definition, case, known, now=now)
        known |= {one.node_id: one for one in found.changed}
        known |= {node.id: done(node.id, {"verdict": verdict}) for node in found.ready}
        now += timedelta(seconds=60)
        if found.outcome is not None:
            break
    assert found.outcome is Status.COMPLETED
