"""The service as a process with real PostgreSQL and a stub of judgment: traces, outages, faults, limits."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import httpx
import pytest

from tests.unit.fds.conftest import Server
from tests.unit.workflow.processes import StubJudgment, Workflow, settle

Rows = Callable[[str], list[asyncpg.Record]]
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture
def running(workflow: Workflow) -> Workflow:
    """The service, ready."""
    workflow.start()
    return workflow


def test_a_request_that_waits_gets_its_end_and_one_trace(running: Workflow, judgment: StubJudgment) -> None:
    """As verify asks: 200 within the time, and judgment is called within the trace of the request."""
    answer = running.http.post(
        "/api/v1/workflows/order-to-cash/instances?wait=8",
        json={"tenant_id": "probe", "input": {"score": 790}},
        headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
    )
    assert answer.status_code == 200
    assert answer.json()["trace_id"] == TRACE
    assert all(sent["traceparent"].split("-")[1] == TRACE for sent in judgment.headers)
    found = running.instance(answer)
    states = {node["node_id"]: node["status"] for node in found["nodes"]}
    assert states["send-invoice"] == "done"
    assert states["refuse-order"] == "skipped"
    assert running.metric("workflow_instances_total", tenant_id="probe", status="completed") == 1
    assert running.metric("retention_rows_deleted_total", table="workflow_instances") == 0
    settle(lambda: running.lines("Workflow instance completed"), "the line is written")
    assert running.lines("Workflow instance completed")[0]["trace_id"] == TRACE


def test_judgment_down_fails_clearly_and_opens_the_breaker(running: Workflow, judgment: StubJudgment) -> None:
    """Retries, then a failure that names node and reason; the breaker closes once judgment is back."""
    judgment.status = 503
    answers = [running.begin("defect-triage") for _ in range(4)]
    ended = [running.ended(answer) for answer in answers]
    assert {one["status"] for one in ended} == {"failed"}
    assert all(one["failure"].startswith("lot-check: ") for one in ended)
    settle(lambda: running.metric("circuit_breaker_state_changes_total", to_state="open") >= 1, "it opens")
    judgment.status = 200

    def completes() -> bool:
        return bool(running.ended(running.begin("defect-triage"))["status"] == "completed")

    settle(completes, "an instance completes again")
    assert (
        running.metric("circuit_breaker_state_changes_total", from_state="half_open", to_state="closed") == 1
    )


def test_judgment_down_takes_the_fallback_where_there_is_one(
    running: Workflow, judgment: StubJudgment
) -> None:
    """supplier-onboarding goes on, and says that it did."""
    judgment.close()
    answer = running.begin("supplier-onboarding")
    assert running.ended(answer)["status"] == "completed"
    assert running.node(answer, "risk-check")["fallback"] is True


def test_a_judgment_that_hangs_holds_nothing_up_for_ever(running: Workflow, judgment: StubJudgment) -> None:
    """Each attempt ends after five seconds, three attempts and the breaks between after less than twenty."""
    judgment.seconds = 60
    began = time.monotonic()
    done = running.ended(running.begin("defect-triage"), 25)
    assert done["failure"] == "lot-check: no answer within 5 s"
    assert time.monotonic() - began < 20


def test_a_frozen_database_is_503_in_time_and_costs_nothing(
    running: Workflow, postgres: Server, judgment: StubJudgment
) -> None:
    """Both routes answer within their limit; what was accepted before ends afterwards."""
    judgment.seconds = 1.0
    accepted = [running.begin("defect-triage") for _ in range(5)]
    with postgres.frozen():
        for ask in (running.begin, lambda: running.http.get("/api/v1/instances")):
            began = time.monotonic()
            answer = ask()
            assert (answer.status_code, time.monotonic() - began < 3.5) == (503, True), answer.text
            assert int(answer.headers["retry-after"]) >= 1
        assert running.http.get("/health/ready").status_code == 503
        assert running.http.get("/health/live").status_code == 200
    assert {running.ended(answer)["status"] for answer in accepted} == {"completed"}


def test_faults_by_http(running: Workflow) -> None:
    """node_failures fails what has no fallback, breaker_trip opens the named breaker, and both heal."""
    running.fault("node_failures", rate=1.0)
    assert (
        running.ended(running.begin("defect-triage"))["failure"]
        == "lot-check: no result (fault node_failures)"
    )
    assert running.metric("workflow_node_failures_total", node_type="judge") == 1
    running.heal()
    running.fault("breaker_trip", node_id="lot-check")
    failure = settle(
        lambda: "breaker open" in str(running.ended(running.begin("defect-triage"))["failure"]), "it trips"
    )
    assert failure < 10
    running.heal()
    settle(lambda: running.ended(running.begin("defect-triage"))["status"] == "completed", "it heals")
    moves = {
        one: running.metric("circuit_breaker_state_changes_total", node_id="lot-check", to_state=one)
        for one in ("open", "half_open", "closed")
    }
    assert moves == {"open": 1, "half_open": 1, "closed": 1}


def test_work_is_bounded_and_a_long_queue_is_refused(
    workflow: Workflow, judgment: StubJudgment, rows: Rows
) -> None:
    """No more than MAX_RUNNING run at once; beyond MAX_QUEUED more there is 429 with Retry-After."""
    judgment.seconds = 30
    workflow.environ |= {"MAX_RUNNING": "4", "MAX_QUEUED": "10"}
    workflow.start()
    with ThreadPoolExecutor(8) as pool:
        answers: list[httpx.Response] = list(pool.map(lambda _: workflow.begin("defect-triage"), range(40)))
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert all(answer.headers["retry-after"] == "5" for answer in refused)
    assert {answer.status_code for answer in answers} == {202, 429}
    (row,) = rows("SELECT count(*) AS n FROM workflow_instances WHERE status = 'running'")
    assert row["n"] <= 4
    (row,) = rows("SELECT count(*) AS n FROM workflow_instances WHERE status = 'waiting'")
    assert row["n"] <= 18  # the limit, and what eight callers may have asked at the same moment


def test_without_a_database_it_starts_and_becomes_ready_later(workflow: Workflow, postgres: Server) -> None:
    """The order of starting does not matter."""
    with postgres.frozen():
        workflow.launch()
        settle(lambda: workflow.status("/health/live") == 200, "it is alive", 20)
        assert workflow.status("/health/ready") == 503
        assert workflow.begin().status_code == 503
    settle(lambda: workflow.status("/health/ready") == 200, "it becomes ready", 20)
    assert workflow.ended(workflow.begin("defect-triage"))["status"] == "completed"
