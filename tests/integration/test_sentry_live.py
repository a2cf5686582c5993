"""Sentry events of the real fds: what arrives in the inbox, and what a dead receiver costs."""

import re
import secrets
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from firedrill.wait import poll_until
from loadtest.bench.fds_process import closed_port, dsn_of, fds_beside, port_of, silent_port
from telemetry.masking import hash_user_id
from tests.integration.test_canaries import Scene, throw_away

LEAKY = "tests.integration.own_service.leaky:create"
CARD = "4111111111111111"
SPACED = "4111 1111 1111 1111"
USER = "minji.kim@example.com"
ARRIVAL_SECONDS = 15
# More than the reporter lets through at once, so that throttling is among the reasons.
MANY = 80
# One after another waits the reporter's three seconds for an answer.
FEW = 3
_SAMPLE = re.compile(r"^(\w+_total)(?:\{[^}]*\})? (\S+)$", re.M)


@pytest.fixture(scope="module")
def scene(stack: Any) -> Iterator[Scene]:
    """A throw-away stack with SENTRY_DSN set to its own inbox, and without traffic."""
    with throw_away(stack, masking="on") as found:
        yield found


def pay(scene: Scene, url: str, transaction_id: str) -> Any:
    """The answer to a payment with a card in every place that takes one."""
    body = {
        "transaction_id": transaction_id,
        "user_id": USER,
        "amount": 10_000,
        "card_id": SPACED,
        "device_id": f"phone of {CARD}",
    }
    answer = scene.http.post(f"{url}/api/v1/fds/evaluate", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def arrived(scene: Scene, nonce: str) -> Any:
    """The message of the event about the transaction with the nonce, with its payload."""
    messages = f"{scene.view.url('inbox')}/api/v1/messages"

    def look() -> Any:
        found = scene.http.get(messages, params={"kind": "sentry"}).json()["messages"]
        return next((one for one in found if nonce in one["labels"].get("transaction_id", "")), None)

    message = poll_until(look, f"the event about {nonce}", ARRIVAL_SECONDS)
    return scene.http.get(f"{messages}/{message['id']}").json()


def check(message: Any, evaluation: Any) -> None:
    """Transaction, risk score and engine are there, the user is hashed, and no card is anywhere."""
    labels = message["labels"]
    assert labels["service"] == "fds"
    assert labels["engine"] == "cti"
    assert float(labels["risk_score"]) == evaluation["risk_score"]
    assert labels["user_id"] == hash_user_id(USER)
    assert labels["trace_id"] == evaluation["trace_id"]
    for secret in (CARD, SPACED, USER, "minji"):
        assert secret not in str(message)


def test_an_exception_of_the_stacks_fds_arrives(scene: Scene) -> None:
    """By the DSN of the environment alone; the card was part of the transaction's own id."""
    url, nonce = scene.view.url("fds"), f"n{secrets.token_hex(6)}x"
    headers = {"Authorization": f"Bearer {scene.view.settings['FAULTS_TOKEN']}"}
    fault = f"{url}/faults/cti_down"
    scene.http.put(fault, json={"ttl_seconds": 60}, headers=headers).raise_for_status()
    try:
        evaluation = pay(scene, url, f"{nonce}:{CARD}")
    finally:
        scene.http.delete(fault, headers=headers).raise_for_status()
    message = arrived(scene, nonce)
    check(message, evaluation)
    assert message["labels"]["transaction_id"] == f"{nonce}:***CARD_MASKED***"
    assert "IntelligenceUnavailableError" in message["title"]


def test_a_card_in_the_text_of_an_exception_does_not_leave(scene: Scene, tmp_path: Path) -> None:
    """The same app with an engine whose error repeats what it was asked."""
    nonce, dsn = f"n{secrets.token_hex(6)}x", dsn_of(port_of(scene.view.url("inbox")))
    with fds_beside(scene.view, tmp_path, dsn=dsn, app=LEAKY) as url:
        evaluation = pay(scene, url, nonce)
        message = arrived(scene, nonce)
    check(message, evaluation)
    assert message["labels"]["transaction_id"] == nonce
    assert "the feed knows nothing of" in message["text"]
    assert "***CARD_MASKED***" in message["text"]


def test_a_dead_receiver_costs_events_and_no_request(scene: Scene, tmp_path: Path) -> None:
    """A closed port and one that never answers: every payment is evaluated, every lost event is counted."""
    with ExitStack() as opened:
        runs = {
            name: (
                opened.enter_context(fds_beside(scene.view, tmp_path / name, dsn=dsn_of(port), app=LEAKY)),
                count,
            )
            for name, port, count in (
                ("closed", opened.enter_context(closed_port()), MANY),
                ("silent", opened.enter_context(silent_port()), FEW),
            )
        }
        for url, count in runs.values():
            for _ in range(count):
                evaluation = pay(scene, url, f"n{secrets.token_hex(12)}")
                assert "cti" in evaluation["degraded"]
        for name, (url, count) in runs.items():
            poll_until(
                lambda url=url, count=count: lost(scene, url) == events(scene, url, count),
                f"{name}: all lost events are counted, and no other",
                ARRIVAL_SECONDS + 3 * FEW,
            )
            now = counts(scene, url)
            assert now["telemetry_events_dropped_total"] >= count
            assert now["telemetry_events_sent_total"] == 0
            assert now["fds_evaluations_total"] == count


def lost(scene: Scene, url: str) -> float:
    """How many events the service says it lost."""
    return counts(scene, url)["telemetry_events_dropped_total"]


def events(scene: Scene, url: str, count: int) -> float:
    """How many there were: one an evaluation, and one more for each that took too long."""
    return count + counts(scene, url)["fds_sla_violations_total"]


def counts(scene: Scene, url: str) -> dict[str, float]:
    """The service's counters, summed over their labels."""
    found: dict[str, float] = {}
    for name, value in _SAMPLE.findall(scene.http.get(f"{url}/metrics").text):
        found[name] = found.get(name, 0.0) + float(value)
    return found
