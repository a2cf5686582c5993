"""The routes, faults and signals of ml, through the whole application."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.ml.adapters import load_model
from services.ml.domain import outcome_of
from services.ml.drift import MINIMUM
from services.ml.signals import COMPLETED, SERVING
from tests.unit.ml.rig import FRAUD, SCORE, TOKEN, Rig, a_question, enabled

VERSION = load_model().version
Talk = Callable[[httpx.AsyncClient], Awaitable[Any]]


def talked(rig: Rig, talk: Talk) -> Any:
    """What `talk` gives after talking to the service."""

    async def run() -> Any:
        async with rig.running() as client:
            return await talk(client)

    return asyncio.run(run())


def answered(rig: Rig, **arguments: Any) -> httpx.Response:
    """The answer to one question."""
    answer = talked(rig, lambda client: client.post(SCORE, **arguments))
    assert isinstance(answer, httpx.Response)
    return answer


async def faulted(client: httpx.AsyncClient, name: str, **parameters: float) -> None:
    """Set a fault."""
    answer = await client.put(
        f"/faults/{name}", json={"parameters": parameters}, headers={"Authorization": f"Bearer {TOKEN}"}
    )
    assert answer.status_code == 200, answer.text


def test_a_payment_is_scored() -> None:
    """Low for an ordinary one, high for one that everything speaks against."""
    rig = Rig()
    calm = answered(rig, json=a_question()).json()
    assert set(calm) == {"score", "model_version", "elapsed_ms"}
    assert calm["score"] < 0.1
    assert calm["model_version"] == VERSION
    assert answered(Rig(), json=a_question(**FRAUD)).json()["score"] > 0.9


def test_a_score_moves_its_metrics_and_leaves_a_line_and_a_span() -> None:
    """All three agree, and the line can be found by the trace."""
    rig = Rig()
    answer = answered(rig, json=a_question(**FRAUD))
    assert rig.samples("ml_predictions_total") == {
        (VERSION, "legitimate"): 0, (VERSION, "suspicious"): 0, (VERSION, "fraud"): 1,
    }  # fmt: skip
    assert rig.samples("ml_prediction_duration_seconds_count") == {(): 1}
    assert rig.samples("ml_prediction_score_sum") == {(): pytest.approx(answer.json()["score"])}
    assert rig.samples("ml_model_info") == {(VERSION,): 1}
    (line,) = rig.lines(COMPLETED)
    assert (line["transaction_id"], line["outcome"], line["level"]) == ("t-1", "fraud", "INFO")
    assert line["trace_id"] == answer.headers["x-trace-id"]
    (span,) = rig.spans("ml.predict")
    assert (span.attributes or {})["model_version"] == VERSION
    assert (span.attributes or {})["score"] == answer.json()["score"]


def test_the_start_is_told() -> None:
    """With the version, so that a roll-out can be seen in the log."""
    rig = Rig()
    answered(rig, json=a_question())
    (line,) = rig.lines(SERVING)
    assert (line["model_version"], line["features"], line["trees"]) == (VERSION, 11, 90)


def test_the_card_says_what_is_served() -> None:
    """Names, measures and the training distribution that drift is measured against."""
    card = talked(Rig(), lambda client: client.get("/api/v1/ml/model")).json()
    assert card["model_version"] == VERSION
    assert len(card["features"]) == 11
    assert card["metrics"]["auc"] > 0.97
    for name in card["features"]:
        one = card["training_distribution"][name]
        assert len(one["shares"]) == len(one["edges"]) + 1
        assert sum(one["shares"]) == pytest.approx(1, abs=1e-3)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"null", b"[]", b"\xff\xfe", b"[" * 5000,
        b'{"features": {"log_amount": ' + b"9" * 6000 + b"}}",
        json.dumps({"features": {}}).encode(),
        json.dumps({"features": {f"f{number}": 1.0 for number in range(65)}}).encode(),
        json.dumps(a_question(log_amount=float("nan"))).encode(),
        json.dumps(a_question(log_amount=1e13)).encode(),
        json.dumps(a_question(another=1.0)).encode(),
        json.dumps({"features": {"log_amount": 1.0}}).encode(),
        json.dumps({"features": {**a_question()["features"], "log_amount": "9"}}).encode(),
        json.dumps({"features": {**a_question()["features"], "log_amount": True}}).encode(),
        json.dumps({**a_question(), "transaction_id": "\ud800"}).encode(),
        json.dumps({**a_question(), "transaction_id": "a b"}).encode(),
    ],
    ids=range(17),
)  # fmt: skip
def test_bad_input_is_refused_in_json(content: bytes) -> None:
    """4xx, whatever it is; nothing is scored."""
    rig = Rig()
    answer = answered(rig, content=content, headers={"content-type": "application/json"})
    assert answer.status_code in (400, 422), answer.text
    assert set(answer.json()["error"]) >= {"code", "message", "request_id"}
    assert sum(rig.samples("ml_predictions_total").values()) == 0


def test_a_large_body_is_refused() -> None:
    """413, before it is parsed."""
    assert answered(Rig(), content=b" " * 20_000).status_code == 413


def test_what_is_missing_is_named() -> None:
    """A caller with another version of the features finds out which."""
    question = a_question()
    del question["features"]["items_count"]
    error = answered(Rig(), json=question).json()["error"]
    assert error["code"] == "other_features"
    assert "missing: items_count" in error["message"]


def test_drift_shows_once_there_are_enough_payments() -> None:
    """Absent before; then one sample for each feature, large for what never varies."""
    rig = Rig()

    async def talk(client: httpx.AsyncClient) -> None:
        for _ in range(MINIMUM - 1):
            await client.post(SCORE, json=a_question())
        assert rig.samples("ml_feature_drift") == {}
        assert rig.samples("ml_feature_drift_samples") == {(): MINIMUM - 1}
        await client.post(SCORE, json=a_question())
        assert rig.samples("ml_feature_drift")["log_amount",] > 0.25

    talked(rig, talk)


def test_ml_slow_is_felt_by_the_caller_and_seen_in_the_histogram(tmp_path: Path) -> None:
    """By the milliseconds asked for."""
    rig = Rig(enabled(tmp_path))

    async def talk(client: httpx.AsyncClient) -> Any:
        await faulted(client, "ml_slow", milliseconds=30)
        return (await client.post(SCORE, json=a_question())).json()

    assert talked(rig, talk)["elapsed_ms"] >= 30
    assert rig.samples("ml_prediction_duration_seconds_sum")[()] >= 0.03


def test_wrong_turns_the_score_around(tmp_path: Path) -> None:
    """Rate 1 turns all, and the version does not say so."""

    async def talk(client: httpx.AsyncClient) -> list[Any]:
        before = (await client.post(SCORE, json=a_question())).json()
        await faulted(client, "wrong", rate=1.0)
        return [before, (await client.post(SCORE, json=a_question())).json()]

    before, after = talked(Rig(enabled(tmp_path)), talk)
    assert after["score"] == pytest.approx(1 - before["score"])
    assert after["model_version"] == before["model_version"]


def test_wrong_turns_about_the_share_that_was_asked_for(tmp_path: Path) -> None:
    """The same payments every time."""

    async def talk(client: httpx.AsyncClient) -> list[list[float]]:
        await faulted(client, "wrong", rate=0.5)
        questions = [a_question(account_age_days=300 + number) for number in range(100)]
        return [
            [(await client.post(SCORE, json=each)).json()["score"] for each in questions] for _ in range(2)
        ]

    first, second = talked(Rig(enabled(tmp_path)), talk)
    assert first == second
    assert 30 < sum(score > 0.5 for score in first) < 70


def test_faults_are_off_unless_enabled() -> None:
    """403, as for every service."""
    answer = talked(Rig(), lambda client: client.put("/faults/wrong", json={}))
    assert answer.status_code == 403


@pytest.mark.parametrize(
    ("score", "outcome"), [(0, "legitimate"), (0.5, "suspicious"), (0.9, "fraud"), (1, "fraud")]
)
def test_outcomes_have_edges(score: float, outcome: str) -> None:
    """0.9 is where fds holds a payment by the model alone."""
    assert outcome_of(score) == outcome
