"""The seeded requests: the same for the same seed, in the intended shares, of the services' own sets."""

import itertools
import json
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from loadtest import fds_requests, judgment_requests
from loadtest.request import Request
from services.fds.schemas import Feedback, Payment
from services.judgment.catalogue import TENANTS, WORKFLOWS
from services.judgment.documents import ExecuteRequest
from services.judgment.domain import BadInputError
from services.judgment.rules import normalise

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
MANY = 4_000


def judgments(count: int = MANY, seed: int = 7, user: int = 0) -> list[Request]:
    """The first requests of one user."""
    return list(itertools.islice(judgment_requests.background_stream(seed, user), count))


def payments(count: int = MANY, seed: int = 7, user: int = 0, run: str = "r") -> list[fds_requests.Case]:
    """The first cases of one user, made at noon."""
    stream = fds_requests.background_stream(seed, user, run=run, now=lambda: NOON)
    return list(itertools.islice(stream, count))


def text(request: Request) -> str:
    """What makes two requests the same."""
    return request.path + json.dumps(request.body, sort_keys=True)


def parse(request: Request) -> object:
    """The case that judgment reads from the request; BadInputError if it refuses."""
    asked = ExecuteRequest.parse(json.dumps(request.body).encode())
    return normalise(asked.input, WORKFLOWS[asked.workflow_id])


def is_invalid(request: Request) -> bool:
    """Whether the stream meant it to be refused."""
    return request.name.endswith("invalid")


def test_same_seed_same_requests() -> None:
    """Seed and user decide every request; another seed or user gives others."""
    assert judgments(200) == judgments(200)
    assert judgments(200) != judgments(200, seed=8)
    assert judgments(200) != judgments(200, user=1)
    assert payments(200) == payments(200)
    assert payments(200) != payments(200, seed=8)
    assert payments(200) != payments(200, user=1)


def test_judgment_meets_every_tenant_workflow_and_policy_soon() -> None:
    """Within 150 requests each combination came, and the closed sets are those of the service."""
    seen = {
        (request.body["tenant_id"], request.body["workflow_id"], request.body["policy"])
        for request in judgments(150)
        if isinstance(request.body, dict) and not is_invalid(request)
    }
    assert seen == set(itertools.product(set(TENANTS) - {"probe"}, WORKFLOWS, ("rule", "llm", "hybrid")))


def test_judgment_repeats_more_than_half() -> None:
    """A repeat asks what one of the last questions asked, word for word."""
    recent: list[str] = []
    repeats = 0
    valid = [text(request) for request in judgments() if not is_invalid(request)]
    for each in valid:
        repeats += each in recent[-200:]
        recent.append(each)
    assert 0.68 < repeats / len(valid) < 0.74


def test_judgment_takes_what_is_valid_and_refuses_the_rest() -> None:
    """The service's own parser agrees with the stream; a small share is invalid, of every kind."""
    stream = judgments()
    for request in stream:
        if is_invalid(request):
            continue
        assert parse(request)
    invalid = [request for request in stream if is_invalid(request)]
    assert 0.01 < len(invalid) / len(stream) < 0.05
    assert {status for request in invalid for status in request.expected} == {404, 422}
    for request in invalid:
        if 422 in request.expected:
            with pytest.raises(BadInputError):
                parse(request)


def test_drill_requests_are_all_valid() -> None:
    """A drill's traffic holds nothing that is refused, or its rate would not be what was asked."""
    for request in itertools.islice(judgment_requests.drill_stream(3), 500):
        assert not is_invalid(request)
    ids = set()
    for request in itertools.islice(fds_requests.drill_stream(3), 500):
        ids.add(Payment.model_validate_json(json.dumps(request.body)).transaction_id)
    assert len(ids) == 500


def test_fds_shares() -> None:
    """Most payments are legitimate, one in five a fraud, most are labelled, a few requests are invalid."""
    cases = payments()
    labels = Counter(case.label for case in cases)
    assert 0.12 < labels["fraud"] / len(cases) < 0.25
    assert labels["legitimate"] > 3 * labels["fraud"]
    assert 0.1 < labels[None] / len(cases) < 0.25
    assert 0.01 < sum(is_invalid(case.request) for case in cases) / len(cases) < 0.05


def test_fds_takes_what_is_valid_and_labels_refer_to_it() -> None:
    """The service's own models accept every payment and label."""
    for case in payments(1_500):
        if is_invalid(case.request):
            assert case.feedback() is None
            continue
        payment = Payment.model_validate_json(json.dumps(case.request.body))
        assert payment.timestamp is not None
        assert NOON - timedelta(days=1) <= payment.timestamp <= NOON
        feedback = case.feedback()
        if feedback is not None:
            labelled = Feedback.model_validate_json(json.dumps(feedback.body))
            assert (labelled.transaction_id, labelled.label) == (payment.transaction_id, case.label)


def test_transaction_ids_are_new_in_each_run_and_repeated_only_with_the_same_payment() -> None:
    """A retry repeats the whole payment; a later run, and another user, never uses an old id."""
    bodies: dict[str, set[str]] = {}
    for user, run in ((0, "a"), (0, "b"), (1, "a")):
        for case in payments(500, user=user, run=run):
            if isinstance(case.request.body, dict) and not is_invalid(case.request):
                number = str(case.request.body["transaction_id"])
                bodies.setdefault(number, set()).add(text(case.request))
    assert all(len(each) == 1 for each in bodies.values())
    assert len(bodies) > 1_300


def test_card_testing_comes_in_bursts() -> None:
    """Some card is used six times in a row, which the service's velocity rules look for."""
    cards = [
        case.request.body.get("card_id")
        for case in payments()
        if isinstance(case.request.body, dict) and not is_invalid(case.request)
    ]
    assert max(len(list(group)) for _, group in itertools.groupby(cards)) >= fds_requests.BURST
