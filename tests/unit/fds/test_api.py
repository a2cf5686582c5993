"""The routes, on fakes, through the whole application."""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.fds.domain import Indicator
from services.fds.ports import PastCases, VelocityUnavailableError
from services.fds.signals import COMPLETED, FAILED
from tests.unit.fds.fakes import FakeFeed
from tests.unit.fds.rig import EVALUATE, FEEDBACK, Rig, a_payment

Talk = Callable[[httpx.AsyncClient], Awaitable[Any]]


def feed_of(severity: str) -> FakeFeed:
    """A threat feed that knows every address."""
    return FakeFeed([Indicator("ip", severity)])


def talked(rig: Rig, talk: Talk, *, prepared: bool = True) -> Any:
    """What `talk` gives after talking to the service."""

    async def run() -> Any:
        async with rig.running(prepared=prepared) as client:
            return await talk(client)

    return asyncio.run(run())


def answered(rig: Rig, method: str, path: str, *, prepared: bool = True, **arguments: Any) -> httpx.Response:
    """The answer to one request."""
    answer = talked(rig, lambda client: client.request(method, path, **arguments), prepared=prepared)
    assert isinstance(answer, httpx.Response)
    return answer


def test_an_evaluation_is_answered_and_kept() -> None:
    """200 means that it is stored; the answer has everything that a checkout needs."""
    rig = Rig(feed=feed_of("high"))
    answer = answered(rig, "POST", EVALUATE, json=a_payment())
    body = answer.json()
    assert answer.status_code == 200
    expected = {
        "transaction_id": "t-1", "risk_level": "high", "decision": "hold", "degraded": [],
        "model_version": "fake-1",
    }  # fmt: skip
    assert expected.items() <= body.items()
    assert body["factors"] == ["cti_ip"]
    assert set(body["engines"]) == {"rule", "ml", "cti"}
    assert body["engines"]["cti"]["score"] == 80
    assert body["trace_id"] == answer.headers["x-trace-id"]
    assert rig.store.rows["t-1"].evaluation_id == body["evaluation_id"]


def test_the_spans_of_an_evaluation_hang_together_and_name_no_user() -> None:
    """Three engines below fds.evaluate, which says what came out; the user only as a hash."""
    rig = Rig()
    answer = answered(rig, "POST", EVALUATE, json=a_payment(user_id="kim@shop.example"))
    (parent,) = rig.spans("fds.evaluate")
    attributes = dict(parent.attributes or {})
    assert attributes["decision"] == "approve"
    assert attributes["risk_score"] == answer.json()["risk_score"]
    assert attributes["user_id"] == hashlib.sha256(b"kim@shop.example").hexdigest()
    for name in ("rule", "ml", "cti"):
        (child,) = rig.spans(f"fds.{name}_engine")
        assert child.parent is not None
        assert parent.context is not None
        assert child.parent.span_id == parent.context.span_id
    (line,) = rig.lines(COMPLETED)
    assert line["trace_id"] == answer.json()["trace_id"]
    assert line["user_id"] == attributes["user_id"]


def test_the_same_payment_again_gets_the_same_answer_and_counts_once() -> None:
    """A checkout may retry."""
    rig = Rig()

    async def twice(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.post(EVALUATE, json=a_payment())).json() for _ in range(2)]

    first, second = talked(rig, twice)
    assert first == second
    assert rig.value("fds_decisions_total", decision="approve") == 1


def test_two_at_once_get_one_evaluation() -> None:
    """The loser of the race answers with the winner's."""
    rig = Rig()

    async def race(client: httpx.AsyncClient) -> set[str]:
        answers = await asyncio.gather(*(client.post(EVALUATE, json=a_payment()) for _ in range(8)))
        return {answer.json()["evaluation_id"] for answer in answers}

    assert len(talked(rig, race)) == 1
    assert rig.value("fds_evaluations_total", risk_level="low", decision="approve") == 1


def test_the_same_id_for_another_payment_is_a_conflict() -> None:
    """409, and the kept evaluation stays."""
    rig = Rig()

    async def other(client: httpx.AsyncClient) -> httpx.Response:
        await client.post(EVALUATE, json=a_payment())
        return await client.post(EVALUATE, json=a_payment(amount=46_000))

    answer = talked(rig, other)
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "transaction_differs")


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"null", b"\xff\xfe", b'{"transaction_id":"\\ud800"}', b"[" * 3000,
     json.dumps(a_payment(amount=-1)).encode(), json.dumps(a_payment(amount=float("nan"))).encode(),
     json.dumps(a_payment(user_id="\x00")).encode(), json.dumps(a_payment(ip="no")).encode()],
)  # fmt: skip
def test_bad_bodies_get_422_in_json(content: bytes) -> None:
    """Never 500, and the reason does not repeat what was sent."""
    rig = Rig()
    answer = answered(rig, "POST", EVALUATE, content=content)
    assert answer.status_code == 422
    assert answer.json()["error"]["code"] == "invalid_request"
    assert rig.store.rows == {}


def test_a_body_without_end_is_cut_off() -> None:
    """413 after 32 kB."""
    assert answered(Rig(), "POST", EVALUATE, content=b" " * 40_000).status_code == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/fds/evaluations/none", 404),
        ("/api/v1/fds/evaluations/%00", 400),  # telemetry refuses such paths before a route sees them
        ("/api/v1/fds/evaluations/%ff%0a", 404),
        ("/api/v1/fds/evaluations?limit=0", 422),
        ("/api/v1/fds/evaluations?limit=201", 422),
        ("/api/v1/fds/evaluations?decision=maybe", 422),
        ("/api/v1/fds/evaluations?unlabelled=x", 422),
    ],
)
def test_odd_questions_get_4xx(path: str, status: int) -> None:
    """Paths and query parameters are bad input like any other."""
    answer = answered(Rig(), "GET", path)
    assert answer.status_code == status
    assert "error" in answer.json()


def test_without_its_store_the_service_says_503_and_keeps_no_secret_of_it() -> None:
    """An answer 200 would claim that the evaluation is stored; so find and add alike end in 503."""
    rig = Rig()

    async def down(client: httpx.AsyncClient) -> list[httpx.Response]:
        rig.store.down = True
        return [
            await client.post(EVALUATE, json=a_payment()),
            await client.post(FEEDBACK, json={"transaction_id": "t-1", "label": "fraud"}),
            await client.get("/api/v1/fds/evaluations"),
            await client.get("/api/v1/fds/evaluations/t-1"),
            await client.get("/health/ready"),
        ]

    answers = talked(rig, down)
    assert [answer.status_code for answer in answers] == [503] * 5
    assert answers[0].headers["retry-after"] == "2"
    assert answers[0].json()["error"]["code"] == "unavailable"
    assert [line["level"] for line in rig.lines(FAILED)] == ["ERROR"]
    assert rig.value("fds_evaluations_in_progress") == 0
    assert rig.value("fds_evaluation_duration_seconds_count") == 0


def test_a_service_whose_store_is_down_at_the_start_is_up_and_not_ready() -> None:
    """It answers 503 until the tables are there."""
    rig = Rig()
    rig.store.down = True
    assert answered(rig, "POST", EVALUATE, json=a_payment(), prepared=False).status_code == 503
    assert answered(Rig(store=rig.store), "GET", "/health/live", prepared=False).status_code == 200


def test_without_redis_and_with_it_an_ordinary_payment_passes() -> None:
    """The answer names what was missing."""
    rig = Rig()
    rig.velocity.answer = VelocityUnavailableError("refused")
    body = answered(rig, "POST", EVALUATE, json=a_payment()).json()
    assert (body["decision"], body["degraded"]) == ("approve", ["velocity"])
    assert rig.value("fds_degraded_evaluations_total", part="velocity") == 1


def test_feedback_labels_once() -> None:
    """The same again changes nothing, another label is a conflict, an unknown transaction is not found."""
    rig = Rig()

    async def label(client: httpx.AsyncClient) -> list[tuple[int, Any]]:
        await client.post(EVALUATE, json=a_payment())
        told = []
        for words in ("t-1 fraud", "t-1 fraud", "t-1 legitimate", "t-2 fraud", "t-1 ?"):
            name, value = words.split()
            answer = await client.post(FEEDBACK, json={"transaction_id": name, "label": value})
            told.append((answer.status_code, answer.json().get("repeated")))
        return told

    assert talked(rig, label) == [(200, False), (200, True), (409, None), (404, None), (422, None)]
    assert rig.value("fds_false_negatives_total") == 1


def test_precision_appears_with_the_fiftieth_case_and_survives_a_restart() -> None:
    """49 kept cases and one new make 50."""
    past = PastCases(stopped=["true_positive"] * 39 + ["false_positive"] * 10, fraud=["true_positive"] * 39)
    rig = Rig(feed=feed_of("critical"))
    rig.store.past = past

    async def one_more(client: httpx.AsyncClient) -> tuple[float | None, float | None]:
        before = rig.value("fds_precision")
        await client.post(EVALUATE, json=a_payment())
        await client.post(FEEDBACK, json={"transaction_id": "t-1", "label": "fraud"})
        return before, rig.value("fds_precision")

    assert talked(rig, one_more) == (None, 0.8)
    assert rig.value("fds_recall") is None
    assert rig.value("fds_f1_score") is None


def test_kept_evaluations_can_be_read_and_listed() -> None:
    """With the request and the label; held and unlabelled ones for review."""
    rig = Rig(feed=feed_of("high"))

    async def read(client: httpx.AsyncClient) -> tuple[Any, list[str]]:
        for number in range(3):
            await client.post(EVALUATE, json=a_payment(transaction_id=f"t-{number}"))
        await client.post(FEEDBACK, json={"transaction_id": "t-1", "label": "fraud"})
        one = (await client.get("/api/v1/fds/evaluations/t-1")).json()
        many = await client.get("/api/v1/fds/evaluations", params={"decision": "hold", "unlabelled": "true"})
        return one, [found["transaction_id"] for found in many.json()["evaluations"]]

    one, many = talked(rig, read)
    assert (one["label"], one["decision"], one["request"]["amount"]) == ("fraud", "hold", 45_000)
    assert many == ["t-2", "t-0"]


def test_the_fault_of_the_drill_can_be_set_over_http_and_raises_the_counter(tmp_path: Path) -> None:
    """cti_slow, by default, violates the SLA by 50 ms; cleared, it is gone."""
    rig = Rig(faults={"FAULTS_ENABLED": "1", "FAULTS_TOKEN": "t", "FAULTS_DIR": str(tmp_path)})
    token = {"Authorization": "Bearer t"}

    async def drill(client: httpx.AsyncClient) -> list[float | None]:
        counts = []
        for step, call in enumerate((None, client.put, client.delete)):
            if call is not None:
                extra: dict[str, Any] = {"json": {}} if call == client.put else {}
                (await call("/faults/cti_slow", headers=token, **extra)).raise_for_status()
            await client.post(EVALUATE, json=a_payment(transaction_id=f"t-{step}"))
            counts.append(rig.value("fds_sla_violations_total", engine="cti"))
        return counts

    assert talked(rig, drill) == [0, 1, 1]


def test_faults_are_off_unless_enabled() -> None:
    """403 with the reason."""
    assert answered(Rig(), "GET", "/faults").status_code == 403


def test_the_interface_describes_itself() -> None:
    """The bodies are read by hand, so their schemas are given by hand."""
    document = answered(Rig(), "GET", "/openapi.json").json()
    body = document["paths"][EVALUATE]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body["required"] == ["transaction_id", "user_id", "amount"]


def test_evaluations_can_be_followed_from_a_moment_on() -> None:
    """With `since` the oldest come first, so that a reader misses none between two pages."""
    rig = Rig()

    async def follow(client: httpx.AsyncClient) -> list[list[str]]:
        for number in range(4):
            await client.post(EVALUATE, json=a_payment(transaction_id=f"t-{number}"))
        path = "/api/v1/fds/evaluations"
        third = rig.store.rows["t-2"].created_at.isoformat()
        pages = [
            (await client.get(path, params=query)).json()["evaluations"]
            for query in ({}, {"since": "2020-01-01T00:00:00Z", "limit": 3}, {"since": third})
        ]
        return [[one["transaction_id"] for one in page] for page in pages]

    newest, first, rest = talked(rig, follow)
    assert newest == ["t-3", "t-2", "t-1", "t-0"]
    assert first == ["t-0", "t-1", "t-2"]
    assert rest == ["t-2", "t-3"]


@pytest.mark.parametrize(
    "since",
    ["yesterday", "2026-01-01T00:00:00", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", ""],
)
def test_a_moment_that_is_none_is_refused(since: str) -> None:
    """Without a time zone, or of years that no payment has: 422 and no error of the database."""
    answer = answered(Rig(), "GET", "/api/v1/fds/evaluations", params={"since": since})
    assert answer.status_code == 422
