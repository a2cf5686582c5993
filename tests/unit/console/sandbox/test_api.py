"""The API: graded as on the page, and every bad request is answered in JSON with what to do."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from console.access import Access
from console.sandbox.api import routes
from console.sandbox.conductor import Conductor
from console.sandbox.model import Incident
from tests.unit.console.sandbox.fakes import FakeStage
from tests.unit.console.sandbox.test_conductor import conducting, until

pytestmark = pytest.mark.anyio
TOKEN = "0123456789abcdef"


class Client:
    """With the token, unless said otherwise."""

    def __init__(self, http: httpx.AsyncClient, conductor: Conductor) -> None:
        self.http, self.conductor = http, conductor

    async def get(self, path: str) -> httpx.Response:
        """Read."""
        return await self.http.get(f"/api/sandbox{path}")

    async def post(self, path: str, body: object = None, *, token: str = TOKEN) -> httpx.Response:
        """Change."""
        headers = {"Authorization": f"Bearer {token}"}
        return await self.http.post(f"/api/sandbox{path}", json=body, headers=headers)

    async def started(self, seed: int = 7) -> str:
        """The id of a run whose page has come in."""
        answer = await self.post("/runs", {"incident": "fds/slow-thing", "seed": seed})
        run_id = str(answer.json()["id"])
        await until(self.conductor, run_id, lambda one: one.phase == "open")
        return run_id


@pytest.fixture
async def client(incident: Incident) -> AsyncIterator[Client]:
    """The routes over a simulated stack."""
    conductor = conducting(FakeStage(), incident)
    app = FastAPI()
    app.include_router(routes(conductor, Access(TOKEN)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as http:
        yield Client(http, conductor)
    await conductor.close()


async def test_it_lists_what_there_is(client: Client) -> None:
    """Without the token; neither the fault nor an answer is in it."""
    told = (await client.get("")).json()
    assert [one["name"] for one in told["incidents"]] == ["fds/slow-thing"]
    assert "cti_slow" not in json.dumps(told)


async def test_a_run_is_graded(client: Client) -> None:
    """Right and wrong answers, a hint, a wrong action, the right one; the score adds up."""
    run_id = await client.started()
    await client.post(f"/runs/{run_id}/act", {"action": "acknowledge"})
    wrong = (await client.post(f"/runs/{run_id}/answer", {"question": "where", "answer": "redis"})).json()
    right = (await client.post(f"/runs/{run_id}/answer", {"question": "where", "answer": "feed"})).json()
    assert (wrong["right"], right["right"]) == (False, True)
    await client.post(f"/runs/{run_id}/answer", {"question": "cause", "answer": "slow"})
    began = client.conductor.run(run_id).faulted_at
    await client.post(f"/runs/{run_id}/answer", {"question": "since", "answer": began})
    hint = (await client.post(f"/runs/{run_id}/hint")).json()
    assert (hint["hint"], hint["cost"]) == ("Look at the board.", 3)
    failed = (await client.post(f"/runs/{run_id}/act", {"action": "restart"})).json()
    assert (failed["helped"], failed["cost"]) == (False, 5)
    done = (await client.post(f"/runs/{run_id}/act", {"action": "spare"})).json()
    assert done["helped"]
    await until(client.conductor, run_id, lambda one: one.phase == "over")
    end = (await client.get(f"/runs/{run_id}")).json()["end"]
    assert end["score"]["total"] == 100 - 7 - 3 - 5
    assert end["answers"]["where"] == "feed"
    assert end["broke"][0]["fault"] == "fds/cti_slow"
    assert end["path"][0]["link"] == "/boards/fds-performance"


async def test_nothing_is_given_away_before_the_end(client: Client) -> None:
    """Neither fault nor answers nor the moment, in any answer."""
    run_id = await client.started()
    told = (await client.get(f"/runs/{run_id}")).json()
    assert told["end"] is None
    assert told["times"]["broken"] is None
    text = json.dumps(told)
    assert not [word for word in ("cti_slow", "right", "Quick again", "expert") if word in text]


async def test_giving_up_tells_all(client: Client) -> None:
    """The end comes with the answer."""
    run_id = await client.started()
    run = (await client.post(f"/runs/{run_id}/end")).json()["run"]
    assert (run["outcome"], run["end"]["answers"]["action"]) == ("gave up", "spare")


async def test_a_time_may_be_written_with_its_zone(client: Client) -> None:
    """ISO 8601; without a zone it is refused."""
    run_id = await client.started()
    bad = await client.post(f"/runs/{run_id}/answer", {"question": "since", "answer": "1970-01-01T00:16:40"})
    assert bad.status_code == 422
    good = await client.post(
        f"/runs/{run_id}/answer", {"question": "since", "answer": "1970-01-01T00:16:40+00:00"}
    )
    assert good.json()["run"]["questions"][2]["attempts"][0]["given"] == "1000.000"


@pytest.mark.parametrize(
    ("path", "body", "status", "code", "says"),
    [
        ("/runs", {"incident": "fds/none"}, 404, "not_found", "fds/slow-thing"),
        ("/runs", {}, 422, "bad_value", "lacks incident"),
        ("/runs", {"incident": 5}, 422, "bad_value", "incident must be a text"),
        ("/runs", {"incident": "fds/slow-thing", "seed": -1}, 422, "bad_value", "seed must be"),
        ("/runs", {"incident": "fds/slow-thing", "seed": 1.5}, 422, "bad_value", "seed must be"),
        ("/runs", {"incident": "fds/slow-thing", "sede": 1}, 422, "bad_value", "unknown key 'sede'"),
        ("/runs", [1], 422, "bad_value", "must be a JSON object"),
        ("/runs/nothing/end", None, 404, "not_found", "no run 'nothing'"),
        ("/runs/nothing/win", None, 404, "unknown_route", "/api/sandbox/runs"),
        ("/shifts/nothing/end", None, 404, "not_found", "no shift"),
        ("/nowhere", None, 404, "unknown_route", "no /api/sandbox/nowhere"),
    ],
)
async def test_bad_requests(
    client: Client, path: str, body: Any, *, status: int, code: str, says: str
) -> None:
    """Status, code, and what there is instead."""
    answer = await client.post(path, body)
    assert answer.status_code == status
    assert answer.json()["error"]["code"] == code
    assert says in answer.json()["error"]["message"]


@pytest.mark.parametrize(
    ("verb", "body", "status", "says"),
    [
        ("answer", {"question": "who", "answer": "me"}, 422, "where, cause"),
        ("answer", {"question": "where", "answer": "moon"}, 422, "feed"),
        ("answer", {"question": "where", "answer": 3}, 422, "answer must be a text"),
        ("answer", {"question": "since", "answer": True}, 422, "unix seconds"),
        ("answer", {"question": "since", "answer": 9e12}, 422, "still to come"),
        ("act", {"action": "pray"}, 422, "acknowledge"),
    ],
)
async def test_bad_moves(client: Client, verb: str, body: Any, status: int, says: str) -> None:
    """In a run that goes on; none costs anything."""
    run_id = await client.started()
    answer = await client.post(f"/runs/{run_id}/{verb}", body)
    assert answer.status_code == status
    assert says in answer.json()["error"]["message"]
    assert not client.conductor.run(run_id).attempts
    assert not client.conductor.run(run_id).deeds


async def test_a_body_that_is_no_json(client: Client) -> None:
    """And one that is too large."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    bad = await client.http.post("/api/sandbox/runs", content=b"{", headers=headers)
    assert (bad.status_code, bad.json()["error"]["code"]) == (400, "bad_json")
    large = await client.http.post("/api/sandbox/runs", content=b" " * 5000, headers=headers)
    assert (large.status_code, large.json()["error"]["code"]) == (413, "too_large")


async def test_the_token_is_needed(client: Client) -> None:
    """For whatever changes anything; the answer says which header."""
    for path in ("/runs", "/shifts", "/runs/r1/act", "/shifts/r1/end"):
        answer = await client.post(path, {"incident": "fds/slow-thing"}, token="wrong")
        assert answer.status_code == 401, path
        assert "Authorization: Bearer" in answer.json()["error"]["message"]
    assert client.conductor.runs == ()


async def test_two_at_once_are_refused(client: Client) -> None:
    """409, with the id of the one that goes on."""
    run_id = await client.started()
    answer = await client.post("/runs", {"incident": "fds/slow-thing"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "busy")
    assert run_id in answer.json()["error"]["message"]


async def test_too_early_is_not_now(client: Client) -> None:
    """Before the page."""
    run_id = (await client.post("/runs", {"incident": "fds/slow-thing"})).json()["id"]
    answer = await client.post(f"/runs/{run_id}/hint")
    assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_now")


async def test_the_same_seed_asks_the_same(client: Client) -> None:
    """In the same order."""
    shown = []
    for _ in range(2):
        run_id = await client.started(seed=11)
        run = (await client.get(f"/runs/{run_id}")).json()
        shown.append((run["questions"][0]["choices"], [one["id"] for one in run["actions"]]))
        await client.post(f"/runs/{run_id}/end")
        await asyncio.sleep(0)
    assert shown[0] == shown[1]
