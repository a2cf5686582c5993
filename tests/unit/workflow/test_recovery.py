"""Instances survive kill -9: with a real PostgreSQL and the service as a process, each ends exactly once."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx

from firedrill.wait import poll_until
from services.workflow.catalogue import WORKFLOWS
from tests.unit.workflow.processes import StubJudgment, Workflow, settle

Rows = Callable[[str], list[asyncpg.Record]]
UNFINISHED = "SELECT 1 FROM workflow_instances WHERE status IN ('waiting', 'running')"
COUNT = 200
PATIENT = {"JUDGE_TIMEOUT_SECONDS": "30", "CALL_TIMEOUT_SECONDS": "30"}  # a busy machine is no failing peer


def start_many(workflow: Workflow, count: int) -> list[str]:
    """Start instances of all workflows, each accepted; their ids."""
    names = list(WORKFLOWS)

    def begin(number: int) -> str:
        def attempt() -> httpx.Response | None:
            try:
                answer = workflow.begin(names[number % len(names)])
            except httpx.TransportError:
                return None  # just killed: this one was never accepted as far as we know
            return answer if answer.status_code == 202 else None

        return str(poll_until(attempt, "an instance is accepted", 30).json()["instance_id"])

    with ThreadPoolExecutor(8) as pool:
        return list(pool.map(begin, range(count)))


def test_200_instances_end_once_each_though_the_service_is_killed(
    workflow: Workflow, judgment: StubJudgment, rows: Rows
) -> None:
    """Killed three times amid the work: all end, all completed, and every effect is in the books once."""
    judgment.seconds = 0.3
    workflow.environ |= PATIENT
    workflow.start()
    ids = start_many(workflow, COUNT)
    for _ in range(3):
        settle(lambda: rows("SELECT 1 FROM workflow_nodes WHERE status = 'running'"), "nodes are under way")
        workflow.kill()
        assert rows(UNFINISHED), "killed too late to prove anything"
        workflow.start()
    poll_until(lambda: not rows(UNFINISHED), "all instances end", 180)

    found = {str(row["id"]): row for row in rows("SELECT * FROM workflow_instances")}
    assert set(ids) <= found.keys()
    assert Counter((row["status"], row["failure"]) for row in found.values()) == {
        ("completed", None): len(found)
    }
    assert sum(row["takeovers"] for row in found.values()) > 0
    calls = rows("SELECT instance_id, node_id FROM workflow_nodes WHERE type = 'call' AND status = 'done'")
    assert len(rows("SELECT key FROM partner_effects")) == len(calls)
    assert len(rows("SELECT DISTINCT instance_id FROM workflow_nodes")) == len(found)
    assert max(judgment.keys.values()) > 1, "no node was ever repeated: the test proves nothing"
    told = Counter(line["instance_id"] for line in workflow.lines("Workflow instance completed"))
    assert told.keys() <= found.keys()
    assert set(told.values()) == {1}  # a kill takes along what was logged in the last moment


def test_each_end_is_counted_by_one_of_two_replicas(workflow: Workflow, rows: Rows) -> None:
    """Two replicas on one database share the work, and together count each end once."""
    workflow.environ |= {**PATIENT, "LEASE_SECONDS": "60"}
    other = workflow.another()
    workflow.start()
    other.start()
    try:
        ids = start_many(workflow, 60)
        poll_until(lambda: not rows(UNFINISHED), "all instances end", 60)

        def count() -> list[float]:
            return [one.metric("workflow_instances_total", tenant_id="acme") for one in (workflow, other)]

        settle(lambda: sum(count()) >= len(ids), "all ends are counted")  # just after they are committed
        counted = count()
        assert sum(counted) == len(ids)
        assert all(counted), f"one of them did nothing: {counted}"
        assert workflow.metric("workflow_takeovers_total") + other.metric("workflow_takeovers_total") == 0
    finally:
        other.close()


def test_a_timer_goes_on_over_a_restart(workflow: Workflow, judgment: StubJudgment) -> None:
    """A wait that was begun before a kill ends when it was due, and keeps the trace of the request."""
    judgment.verdict = "review"
    workflow.start()
    answer = workflow.begin("supplier-onboarding")
    settle(lambda: workflow.node(answer, "cooling-off")["status"] == "waiting", "the timer runs")
    due = workflow.node(answer, "cooling-off")["due_at"]
    workflow.kill()
    workflow.start()
    done = workflow.ended(answer)
    assert done["status"] == "completed"
    assert workflow.node(answer, "cooling-off")["due_at"] == due
    assert done["trace_id"] == answer.headers["x-trace-id"]


def test_active_instances_are_right_after_a_restart(workflow: Workflow, judgment: StubJudgment) -> None:
    """The gauge comes from the database: what an earlier process accepted is seen by the next one."""
    judgment.seconds = 30
    workflow.start()
    for _ in range(3):
        assert workflow.begin("defect-triage").status_code == 202
    active = {"workflow_id": "defect-triage", "tenant_id": "acme"}
    settle(lambda: workflow.metric("workflow_instances_active", status="running", **active) == 3, "three run")
    workflow.kill()
    workflow.start()
    settle(
        lambda: workflow.metric("workflow_instances_active", status="running", **active) == 3,
        "three are known to run",
    )


def test_a_stop_hands_its_instances_back(workflow: Workflow, judgment: StubJudgment, rows: Rows) -> None:
    """After SIGTERM nobody has to wait for a lease to run out."""
    judgment.seconds = 30
    workflow.start()
    workflow.begin("defect-triage")
    settle(lambda: rows("SELECT 1 FROM workflow_nodes WHERE status = 'running'"), "the node is under way")
    workflow.stop()
    (row,) = rows("SELECT status, owner, takeovers FROM workflow_instances")
    assert (row["status"], row["owner"], row["takeovers"]) == ("waiting", None, 0)
