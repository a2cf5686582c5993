"""The routes, through the whole application, on a real PostgreSQL and a fake fds."""

import asyncio
import json
import time
from typing import Any

import httpx
import pytest

from services.admin.signals import ACCEPTED, DELIVERED, NOT_TAKEN, WAITING
from services.admin.store import PostgresStore
from tests.unit.admin.fakes import START, FakeFds, SilentStore, a_case
from tests.unit.admin.rig import KIM, QUEUE, REVIEWS, Rig, delivered, nothing, until, with_store
from tests.unit.fds.conftest import Server


def verdict(number: int = 1, said: str = "fraud", **values: Any) -> dict[str, Any]:
    """The body of a review."""
    return {"transaction_id": f"t-{number}", "verdict": said, **values}


def a_rig(postgres: Server, *numbers: int, **values: Any) -> Rig:
    """The service with these held cases in its queue."""

    async def fill(store: PostgresStore) -> None:
        await store.take_in([a_case(number) for number in numbers], held_until=START)

    with_store(postgres.url, fill)
    return Rig(url=postgres.url, **values)


def test_a_verdict_is_kept_and_reaches_fds(postgres: Server) -> None:
    """201 means that it is stored; the label follows at once."""
    rig = a_rig(postgres, 1)

    async def talk(client: httpx.AsyncClient) -> list[Any]:
        answer = await client.post(REVIEWS, json=verdict(note="stolen card"), headers=KIM)
        await delivered(client, "t-1")
        return [answer, (await client.get(f"{REVIEWS}/t-1")).json(), (await client.get(QUEUE)).json()]

    answer, review, queue = rig.talked(talk)
    assert answer.status_code == 201
    expected = {
        "transaction_id": "t-1", "verdict": "fraud", "reviewer": "reviewer-kim", "note": "stolen card",
        "kind": "held", "delivery": "pending", "attempts": 0, "repeated": False,
    }  # fmt: skip
    assert expected.items() <= answer.json().items()
    assert answer.json()["trace_id"] == answer.headers["x-trace-id"]
    assert (review["delivery"], review["attempts"]) == ("delivered", 1)
    assert queue == {"cases": []}
    assert rig.fds.told == [("t-1", "fraud")]


def test_a_verdict_leaves_metrics_lines_and_linked_spans(postgres: Server) -> None:
    """The delivery has a trace of its own that points back at the review's; the note is in neither."""
    rig = a_rig(postgres, 1)

    async def talk(client: httpx.AsyncClient) -> str:
        answer = await client.post(REVIEWS, json=verdict(note="a secret note"), headers=KIM)
        await delivered(client, "t-1")
        return str(answer.headers["x-trace-id"])

    trace_id = rig.talked(talk)
    assert rig.value("admin_reviews_total", verdict="fraud") == 1
    assert rig.value("admin_review_duration_seconds_count") == 1
    assert rig.value("admin_review_deliveries_total", result="delivered") == 1
    assert rig.value("admin_review_delivery_delay_seconds_count") == 1
    (accepted,) = rig.lines(ACCEPTED)
    assert (accepted["kind"], accepted["reviewer"], accepted["trace_id"]) == (
        "held",
        "reviewer-kim",
        trace_id,
    )
    (told,) = rig.lines(DELIVERED)
    assert (told["result"], told["attempts"]) == ("delivered", 1)
    (span,) = rig.spans("admin.deliver")
    assert [f"{link.context.trace_id:032x}" for link in span.links] == [trace_id]
    assert (rig.spans("admin.review")[0].attributes or {})["kind"] == "held"
    assert b"secret note" not in b"".join(rig.sink.lines)


def test_a_verdict_is_accepted_while_fds_is_down_and_delivered_later(postgres: Server) -> None:
    """Nothing is lost, nothing is sent twice, and it is told once, not at every attempt."""
    rig = a_rig(postgres, 1, 2, 3, fds=FakeFds(down=True))

    async def talk(client: httpx.AsyncClient) -> None:
        for number in (1, 2, 3):
            answer = await client.post(REVIEWS, json=verdict(number), headers=KIM)
            assert answer.status_code == 201

        async def seen() -> bool:
            return rig.value("admin_review_delivery_pending") == 3.0

        await until(seen)
        assert (rig.value("admin_review_delivery_oldest_seconds") or 0) > 0
        rig.fds.down = False
        for number in (1, 2, 3):
            await delivered(client, f"t-{number}")

    rig.talked(talk)
    assert sorted(rig.fds.told) == [("t-1", "fraud"), ("t-2", "fraud"), ("t-3", "fraud")]
    assert (rig.value("admin_fds_failures_total", operation="delivery") or 0) >= 1
    assert len(rig.lines(WAITING)) == 1


def test_a_restart_delivers_what_was_accepted_before(postgres: Server) -> None:
    """The outbox is the database, not the process."""
    before = a_rig(postgres, 1, fds=FakeFds(down=True))

    async def accept(client: httpx.AsyncClient) -> None:
        assert (await client.post(REVIEWS, json=verdict(), headers=KIM)).status_code == 201

    before.talked(accept)
    after = Rig(url=postgres.url)

    async def wait(client: httpx.AsyncClient) -> None:
        await delivered(client, "t-1")

    after.talked(wait)
    assert after.fds.told == [("t-1", "fraud")]


@pytest.mark.parametrize("result", ["conflict", "unknown", "refused"])
def test_what_fds_makes_of_a_verdict_is_kept_and_told(postgres: Server, result: Any) -> None:
    """A final answer ends the delivery, whatever it is."""
    rig = a_rig(postgres, 1, fds=FakeFds(answers={"t-1": result}))

    async def talk(client: httpx.AsyncClient) -> None:
        await client.post(REVIEWS, json=verdict(), headers=KIM)
        await delivered(client, "t-1")

    rig.talked(talk)
    assert rig.value("admin_review_deliveries_total", result=result) == 1
    (line,) = rig.lines(NOT_TAKEN)
    assert (line["result"], line["level"]) == (result, "WARNING")


def test_the_same_verdict_again_is_the_same_answer(postgres: Server) -> None:
    """200 and counted once; another verdict or another reviewer gets 409 and the first stays."""
    rig = a_rig(postgres, 1)

    async def talk(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.post(REVIEWS, json=verdict(), headers=KIM),
            await client.post(REVIEWS, json=verdict(), headers=KIM),
            await client.post(REVIEWS, json=verdict(1, "legitimate"), headers=KIM),
            await client.post(REVIEWS, json=verdict(), headers={"X-Reviewer": "reviewer-lee"}),
        ]

    answers = rig.talked(talk)
    assert [answer.status_code for answer in answers] == [201, 200, 409, 409]
    assert answers[1].json()["repeated"] is True
    assert answers[2].json()["error"]["code"] == "already_reviewed"
    assert rig.value("admin_reviews_total", verdict="fraud") == 1


@pytest.mark.parametrize(
    ("header", "named", "status"),
    [
        (None, None, 401),
        (None, "reviewer-kim", 201),
        ("reviewer-kim", None, 201),
        ("reviewer-kim", "reviewer-kim", 201),
        ("reviewer-kim", "reviewer-lee", 422),
        ("somebody", None, 403),
        (None, "somebody", 403),
        ("Not an id!", None, 422),
        ("x" * 5000, None, 422),
    ],
)
def test_only_known_reviewers_decide(
    postgres: Server, header: str | None, named: str | None, status: int
) -> None:
    """By header or body, which must not disagree."""
    rig = a_rig(postgres, 1)
    headers = {} if header is None else {"X-Reviewer": header}
    body = verdict() if named is None else verdict(reviewer=named)
    answer = rig.talked(lambda client: client.post(REVIEWS, json=body, headers=headers))
    assert answer.status_code == status
    if status > 201:
        assert set(answer.json()["error"]) >= {"code", "message", "request_id"}


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"\xff", b"[" * 5000, b'{"transaction_id":"t-1","verdict":"maybe"}',
        b'{"transaction_id":"a b","verdict":"fraud"}', b'{"transaction_id":7,"verdict":"fraud"}',
        b'{"transaction_id":"t-1"}', b'{"transaction_id":"t-1","verdict":"fraud","note":"\\u0000"}',
        b'{"transaction_id":"t-1","verdict":"fraud","note":"\\ud800"}',
        json.dumps(verdict(note="x" * 1001)).encode(), json.dumps(verdict(note=None)).encode(),
    ],
    ids=range(14),
)  # fmt: skip
def test_bad_reviews_are_refused_in_json(postgres: Server, content: bytes) -> None:
    """4xx, and nothing is kept."""
    rig = a_rig(postgres, 1)
    headers = {**KIM, "content-type": "application/json"}
    answer = rig.talked(lambda client: client.post(REVIEWS, content=content, headers=headers))
    assert answer.status_code in (400, 422), answer.text
    assert set(answer.json()["error"]) >= {"code", "message", "request_id"}
    assert rig.value("admin_reviews_total", verdict="fraud") == 0


def test_a_large_body_is_refused(postgres: Server) -> None:
    """413, before it is parsed."""
    rig = a_rig(postgres)
    answer = rig.talked(lambda client: client.post(REVIEWS, content=b" " * 20_000, headers=KIM))
    assert answer.status_code == 413


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{QUEUE}?limit=0", 422), (f"{QUEUE}?limit=201", 422), (f"{QUEUE}?limit=x", 422),
        (f"{QUEUE}?kind=other", 422), (f"{REVIEWS}?verdict=maybe", 422), (f"{REVIEWS}?delivery=lost", 422),
        (f"{REVIEWS}?reviewer=%00", 400), (f"{REVIEWS}?reviewer=%ED%A0%80", 422),
        (f"{REVIEWS}/nobody", 404), (f"{REVIEWS}/%20", 404), (f"{REVIEWS}/{'x' * 500}", 404),
    ],
)  # fmt: skip
def test_bad_questions_are_refused(postgres: Server, path: str, status: int) -> None:
    """In JSON, whatever it is."""
    answer = a_rig(postgres).talked(lambda client: client.get(path))
    assert (answer.status_code, "error" in answer.json()) == (status, True)


def test_the_queue_shows_what_a_reviewer_needs(postgres: Server) -> None:
    """The longest waiting first, with facts and factors."""
    rig = a_rig(postgres, 1, 2)

    async def talk(client: httpx.AsyncClient) -> list[Any]:
        return [(await client.get(path)).json()["cases"] for path in (QUEUE, f"{QUEUE}?kind=spot_check")]

    (first, second), others = rig.talked(talk)
    assert (first["transaction_id"], second["transaction_id"]) == ("t-1", "t-2")
    assert first["facts"] == {"amount": 1_200_000.0, "country": "US"}
    assert (first["kind"], first["decision"], first["factors"]) == ("held", "hold", ["amount_high"])
    assert first["waiting_seconds"] >= 0
    assert others == []


def test_reviewers_and_stats_can_be_read(postgres: Server) -> None:
    """Everyone who may decide, and what was decided."""
    rig = a_rig(postgres, 1, 2)

    async def talk(client: httpx.AsyncClient) -> list[Any]:
        await client.post(REVIEWS, json=verdict(), headers=KIM)
        await delivered(client, "t-1")
        paths = ("/api/v1/admin/reviewers", "/api/v1/admin/stats", f"{REVIEWS}?verdict=fraud")
        return [(await client.get(path)).json() for path in paths]

    reviewers, stats, listed = rig.talked(talk)
    assert "reviewer-kim" in {one["id"] for one in reviewers["reviewers"]}
    assert (stats["queue"]["length"], stats["deliveries"]["pending"]) == (1, 0)
    assert stats["last_24_hours"]["verdict"] == {"fraud": 1}
    assert [one["transaction_id"] for one in listed["reviews"]] == ["t-1"]


def test_cases_come_in_by_themselves(postgres: Server) -> None:
    """The worker asks fds and the gauge follows."""
    rig = a_rig(postgres)
    rig.fds.listed = {"hold": [a_case(1), a_case(2)]}

    async def talk(client: httpx.AsyncClient) -> None:
        async def seen() -> bool:
            return rig.value("admin_review_queue_length") == 2.0

        await until(seen)
        assert rig.value("admin_cases_total", kind="held") == 2

    rig.talked(talk)


@pytest.mark.parametrize("down", [True, False])
def test_without_its_database_the_service_says_503_in_time(*, down: bool) -> None:
    """Down or silent alike, also when many ask at once; it stays alive and is not ready."""
    paths = [QUEUE, REVIEWS, f"{REVIEWS}/t-1", "/api/v1/admin/stats"]

    async def talk(client: httpx.AsyncClient) -> None:
        started = time.perf_counter()
        asked = [*paths, "/health/ready", "/health/live"]
        *answers, ready, live = await asyncio.gather(*(client.get(path) for path in asked))
        told = {
            path: (one.status_code, one.headers.get("retry-after"))
            for path, one in zip(paths, answers, strict=True)
        }
        assert told == dict.fromkeys(paths, (503, "2"))
        assert (ready.status_code, live.status_code) == (503, 200)
        assert time.perf_counter() - started < 5

    Rig(store=SilentStore(down=down)).talked(talk, ready=False)


def test_a_review_without_the_database_is_not_accepted() -> None:
    """503 and not counted: what is not kept is not promised."""
    rig = Rig(store=SilentStore(down=True))
    answer = rig.talked(lambda client: client.post(REVIEWS, json=verdict(), headers=KIM), ready=False)
    assert answer.status_code == 503
    assert rig.value("admin_reviews_total", verdict="fraud") == 0
    assert rig.value("admin_review_queue_length") is None


def test_the_service_starts_before_its_database_and_uses_it_when_it_comes(postgres: Server) -> None:
    """Nobody has to start things in order."""
    with_store(postgres.url, nothing)
    rig = Rig(url=postgres.url)
    answer = rig.talked(lambda client: client.get(QUEUE))
    assert answer.status_code == 200
