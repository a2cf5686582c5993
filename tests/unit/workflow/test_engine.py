"""The course of instances around fakes: ends, retries, breakers, fallbacks, lost leases."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from services.workflow.catalogue import WORKFLOWS
from services.workflow.domain import (
    BreakerState,
    Claim,
    NodeState,
    NodeStatus,
    NodeType,
    PeerFailedError,
    Status,
    StoreUnavailableError,
)
from services.workflow.graph import plan
from tests.unit.workflow.rig import START, Rig

pytestmark = pytest.mark.anyio
DOWN = PeerFailedError("not reachable")
APPROVED = {"verdict": "approved", "confidence": 0.9}


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """An engine in which everything works."""
    rig = Rig()
    yield rig
    rig.recorder.stop()


def nodes(rig: Rig, claim: Claim) -> dict[str, NodeState]:
    """The nodes of an instance as they are kept."""
    return {state.node_id: state for state in rig.store.kept[claim.instance.id].nodes}


async def test_an_instance_ends_and_is_counted_once(rig: Rig) -> None:
    """One end, one duration, one line, and spans with the promised attributes."""
    claim = await rig.begin()
    await rig.run(claim)
    assert rig.store.kept[claim.instance.id].status is Status.COMPLETED
    assert rig.recorder.moved("workflow_instances_total") == {("completed", "acme", "defect-triage"): 1.0}
    assert rig.recorder.moved("workflow_duration_seconds_count") == {("acme", "defect-triage"): 1.0}
    (line,) = rig.recorder.logs
    assert line["message"] == "Workflow instance completed"
    assert {"instance_id", "workflow_id", "status", "duration_ms", "trace_id"} <= line.keys()
    run = next(span for span in rig.recorder.spans if span.name == "workflow.run")
    assert run.attributes is not None
    assert run.attributes["result"] == "completed"
    node_spans = [span for span in rig.recorder.spans if span.name == "workflow.node"]
    wanted = {"workflow_id", "node_id", "node_type", "attempt", "result"}
    assert node_spans
    assert all(wanted <= set(span.attributes or ()) for span in node_spans)
    assert {span.parent.span_id for span in node_spans if span.parent} == {run.context.span_id}


async def test_runs_of_an_instance_share_the_trace_of_the_request(rig: Rig) -> None:
    """The second run, after the wait, is below the same request and linked to the first."""
    rig.judge.answers = [{"verdict": "review", "confidence": 0.5}, APPROVED]
    claim = await rig.begin()
    request = f"00-{'ab' * 16}-{'cd' * 8}-01"
    stored = replace(claim.instance, traceparent=request)
    rig.store.kept[stored.id] = stored
    first = replace(claim, instance=stored)
    seconds = await rig.engine.run(first)
    assert seconds == pytest.approx(1.0)
    earlier = next(span for span in rig.recorder.spans if span.name == "workflow.run")
    last = f"00-{earlier.context.trace_id:032x}-{earlier.context.span_id:016x}-01"
    await rig.clock.nap(1.0)
    waiting = replace(rig.store.kept[stored.id], last_run=last)
    await rig.run(rig.store.take(waiting, now=rig.clock.now()))
    runs = [span for span in rig.recorder.spans if span.name == "workflow.run"]
    assert {span.context.trace_id for span in runs} == {int("ab" * 16, 16)}
    assert {span.parent.span_id for span in runs if span.parent} == {int("cd" * 8, 16)}
    assert [link.context.span_id for link in runs[1].links] == [earlier.context.span_id]


async def test_an_attempt_that_fails_is_made_again_under_the_same_key(rig: Rig) -> None:
    """Back-off between attempts grows, and the node knows how many there were."""
    rig.judge.answers = [DOWN, DOWN, APPROVED]
    claim = await rig.begin()
    await rig.run(claim)
    assert nodes(rig, claim)["lot-check"].attempts == 3
    assert [task.attempt for task in rig.judge.tasks] == [1, 2, 3]
    assert len({task.key for task in rig.judge.tasks}) == 1
    first, second = rig.clock.naps[:2]
    assert 0.1 <= first <= 0.2 <= second <= 0.4
    assert rig.recorder.moved("workflow_node_failures_total") == {}


async def test_a_node_without_a_fallback_fails_its_instance(rig: Rig) -> None:
    """Counted as node failure and as failed instance, told as warning and error, with the reason."""
    rig.judge.answers = [DOWN]
    claim = await rig.begin()
    await rig.run(claim)
    ended = rig.store.kept[claim.instance.id]
    assert (ended.status, ended.failure) == (Status.FAILED, "lot-check: not reachable")
    assert rig.recorder.moved("workflow_node_failures_total") == {("judge", "acme", "defect-triage"): 1.0}
    assert rig.recorder.moved("workflow_instances_total") == {("failed", "acme", "defect-triage"): 1.0}
    levels = {line["message"]: line["level"] for line in rig.recorder.logs}
    assert levels["Workflow node failed"] == "WARNING"
    assert levels["Workflow instance failed"] == "ERROR"


async def test_a_fallback_saves_the_instance_and_the_failure_is_still_counted(rig: Rig) -> None:
    """supplier-onboarding goes on with a review when judgment is away."""
    rig.judge.answers = [DOWN]
    claim = await rig.begin("supplier-onboarding")
    await rig.run(claim)
    state = nodes(rig, claim)["risk-check"]
    assert (state.status, state.fallback, state.failure) == (NodeStatus.DONE, True, "not reachable")
    assert rig.store.kept[claim.instance.id].status is Status.COMPLETED
    assert rig.recorder.value("workflow_node_fallbacks_total", node_id="risk-check") == 1
    assert rig.recorder.moved("workflow_node_failures_total") != {}


async def test_what_judgment_refuses_is_not_tried_again_and_does_not_hurt_the_breaker(rig: Rig) -> None:
    """A 422 says that the peer works."""
    rig.judge.answers = [PeerFailedError("judgment answered 422", retry=False, healthy=True)]
    for _ in range(6):
        await rig.run(await rig.begin())
    assert len(rig.judge.tasks) == 6
    assert rig.breakers["lot-check"].state is BreakerState.CLOSED


async def test_an_open_breaker_leaves_the_peer_alone(rig: Rig) -> None:
    """Two instances of three attempts open it; the next one fails without asking, and changes are counted."""
    rig.judge.answers = [DOWN]
    for _ in range(3):
        await rig.run(claim := await rig.begin())
    assert len(rig.judge.tasks) == 5
    assert rig.store.kept[claim.instance.id].failure == "lot-check: circuit breaker open"
    moves = rig.recorder.moved("circuit_breaker_state_changes_total")
    assert moves == {("closed", "lot-check", "workflow", "open"): 1.0}
    assert "Circuit breaker opened" in rig.messages
    rig.clock.seconds += 10
    rig.judge.answers = [APPROVED]
    await rig.run(claim := await rig.begin())
    assert rig.store.kept[claim.instance.id].status is Status.COMPLETED
    assert rig.messages[-2] == "Circuit breaker closed"


async def test_a_peer_that_hangs_is_given_up(rig: Rig) -> None:
    """Each attempt has its deadline: no instance hangs."""
    rig.judge.hangs = True
    claim = await rig.begin()
    await rig.run(claim)
    assert rig.store.kept[claim.instance.id].failure == "lot-check: no answer within 0.2 s"


async def test_whoever_lost_the_lease_counts_nothing(rig: Rig) -> None:
    """The end belongs to whoever holds the instance now."""
    claim = await rig.begin()
    rig.store.lost = True
    assert await rig.engine.run(claim) is None
    assert rig.recorder.moved("workflow_instances_total") == {}
    assert rig.messages == ["Workflow instance interrupted"]
    assert rig.judge.tasks == []


async def test_a_short_outage_of_the_database_costs_nothing(rig: Rig) -> None:
    """What is kept is tried again; the instance ends, once."""
    claim = await rig.begin()
    rig.store.failures = 2
    await rig.run(claim)
    assert rig.recorder.moved("workflow_instances_total") == {("completed", "acme", "defect-triage"): 1.0}


async def test_a_longer_outage_interrupts_and_the_next_holder_goes_on(rig: Rig) -> None:
    """Nothing is counted until the end is committed; done nodes are not done again."""
    claim = await rig.begin()
    rig.partner.answers = [StoreUnavailableError("ConnectionRefusedError")]
    assert await rig.engine.run(claim) is None
    assert rig.messages == ["Workflow instance interrupted"]
    rig.partner.answers = [{"reference": "PLA-1"}]
    taken = replace(rig.store.take(rig.store.kept[claim.instance.id]), taken_over=True)
    await rig.run(taken)
    assert len(rig.judge.tasks) == 1
    assert rig.recorder.value("workflow_takeovers_total", tenant_id="acme", workflow_id="defect-triage") == 1
    assert rig.recorder.moved("workflow_instances_total") == {("completed", "acme", "defect-triage"): 1.0}


async def test_an_instance_that_nobody_survives_fails_in_the_end(rig: Rig) -> None:
    """Taken over too often: it must not end one process after another for ever."""
    claim = await rig.begin()
    await rig.run(replace(claim, instance=replace(claim.instance, takeovers=21)))
    assert rig.store.kept[claim.instance.id].failure == "taken over 21 times"
    assert rig.judge.tasks == []


async def test_what_nobody_foresaw_fails_the_instance_and_is_logged(rig: Rig) -> None:
    """A bug in an adapter must not make an instance run for ever."""
    rig.judge.answers = [RuntimeError("a bug")]
    claim = await rig.begin()
    await rig.run(claim)
    assert rig.store.kept[claim.instance.id].failure == "unexpected RuntimeError"
    assert rig.messages == ["Workflow run broke off", "Workflow instance failed"]


async def test_a_workflow_that_is_gone_fails_its_instances(rig: Rig) -> None:
    """A new version that dropped a workflow still ends what an older one accepted."""
    claim = await rig.begin()
    await rig.run(replace(claim, instance=replace(claim.instance, workflow_id="gone")))
    assert rig.store.kept[claim.instance.id].failure == "the workflow is not defined any more"


async def test_siblings_run_at_the_same_time(rig: Rig) -> None:
    """Both nodes that come after nothing are ready in the first plan."""
    claim = await rig.begin("supplier-onboarding")
    found = plan(WORKFLOWS["supplier-onboarding"], claim.instance.case, {}, now=START)
    assert [node.type for node in found.ready] == [NodeType.CALL, NodeType.JUDGE]
