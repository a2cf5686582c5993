"""Faults on the running stack, by command and by HTTP: obeyed at their rate, seen, healed, refused."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from firedrill.wait import poll_until
from tests.integration.conftest import ROOT

SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/faults.py"))
ORDER = "/api/v1/workflows/defect-triage/instances"


class Live:
    """A service of the stack with its fault switch."""

    def __init__(self, stack: Any, service: str) -> None:
        self.stack, self.service = stack, service
        self.url: str = stack.view().url(service)
        self.token: str = stack.environ["FAULTS_TOKEN"]

    def ask(self, method: str, path: str, **rest: Any) -> httpx.Response:
        """A request, with the token where none is given."""
        rest.setdefault("headers", {"Authorization": f"Bearer {self.token}"})
        answer: httpx.Response = self.stack.http.request(method, self.url + path, **rest)
        return answer

    def active(self) -> set[str]:
        """What is set, as the service says."""
        return {one["name"] for one in self.ask("GET", "/faults").json()["faults"] if one["active"]}

    def counted(self, *names: str) -> list[float]:
        """The sums of these counters, as the service exposes them now."""
        lines = self.ask("GET", "/metrics").text.splitlines()
        return [
            sum(float(line.split(" ")[1]) for line in lines if line.split("{")[0].split(" ")[0] == name)
            for name in names
        ]

    @contextmanager
    def broken(self, fault: str, *parameters: str) -> Iterator[None]:
        """Set by the command, and healed by it in any case; both work from the command's end on."""
        name = f"{self.service}/{fault}"
        self.stack.must("fault", "set", name, *parameters, "--ttl", "120")
        time.sleep(0.15)  # other workers look at the file ten times a second
        try:
            yield
        finally:
            self.stack.must("fault", "clear", name)


def milliseconds(answers: Sequence[httpx.Response]) -> list[float]:
    """How long each answer took."""
    return [answer.elapsed.total_seconds() * 1000 for answer in answers]


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_refused_is_4xx_json_and_sets_nothing(stack: Any, service: str) -> None:
    """Wrong token, unknown fault, bad parameter, not a number, a huge body: on every service alike."""
    live = Live(stack, service)
    listed = live.ask("GET", "/faults").json()["faults"]
    one = f"/faults/{listed[0]['name']}"
    wrong = {"Authorization": "Bearer wrong"}
    cases: list[tuple[int, httpx.Response]] = [
        (401, live.ask("PUT", one, headers={})),
        (401, live.ask("PUT", one, headers=wrong)),
        (401, live.ask("GET", "/faults", headers=wrong)),
        (401, live.ask("DELETE", "/faults", headers=wrong)),
        (404, live.ask("PUT", "/faults/nobody-knows")),
        (422, live.ask("PUT", one, content=b'{"parameters": {"nobody": 1}}')),
        (422, live.ask("PUT", one, content=b'{"ttl_seconds": NaN}')),
        (422, live.ask("PUT", one, content=b'{"ttl_seconds": 1e9}')),
        (422, live.ask("PUT", one, content=b"[[[")),
        (413, live.ask("PUT", one, content=b" " * 2_000_000)),
    ]
    for fault in listed:
        for parameter in fault["parameters"]:
            bad = [float("nan"), None, [1], "no such choice" if parameter["choices"] else "x" * 500]
            bad += [] if parameter["maximum"] is None else [parameter["maximum"] + 1]
            for value in bad:
                body = json.dumps({"parameters": {parameter["name"]: value}}).encode()
                cases.append((422, live.ask("PUT", f"/faults/{fault['name']}", content=body)))
    assert [
        (answer.status_code, answer.text[:200]) for status, answer in cases if answer.status_code != status
    ] == []
    assert all(answer.json()["error"]["message"] for _, answer in cases)
    assert live.token not in "".join(answer.text for _, answer in cases)
    assert not live.active()


def test_a_fault_is_seen_in_prometheus_and_loki_and_ends_by_itself(stack: Any) -> None:
    """The gauge that graphs mark is 1 and falls to 0; who set what stands in the log, without the token."""
    live = Live(stack, "ml")  # nobody has to call it: fds goes on with its own copy
    began = time.time()
    said = stack.must("fault", "set", "ml/drift", "factor=2", "--ttl", "12")
    assert "heals itself in 12 s" in said
    assert live.token not in said
    gauge = 'fault_active{fault="drift", job="ml-service"}'
    poll_until(lambda: stack.prometheus.query(gauge).total() == 1, "fault_active is 1", 10)
    poll_until(lambda: stack.prometheus.query(gauge).total() == 0, "fault_active is 0 again", 25)
    assert time.time() - began > 11
    assert not live.active()

    def lines() -> list[str]:
        found = stack.loki.search('{service="ml"} |= "Fault set"', start=began - 1, end=time.time() + 1).lines
        return [line.text for line in found]

    poll_until(lambda: lines() != [], "the log line of the fault", 30)
    told = json.loads(lines()[0])
    assert (told["fault"], told["parameters"], told["level"]) == ("drift", {"factor": 2}, "WARNING")
    assert live.token not in "".join(lines())
    changes = 'fault_changes_total{fault="drift", job="ml-service", action="set"}'
    assert (stack.prometheus.query(changes).total() or 0) >= 1


def test_cti_slow_at_a_rate_violates_the_sla_at_that_rate(stack: Any) -> None:
    """A half of all evaluations, the background's among them, is over 100 ms: for the burn rates' drills."""
    fds = Live(stack, "fds")
    names = ("fds_sla_violations_total", "fds_evaluations_total")
    with fds.broken("cti_slow", "milliseconds=150", "rate=0.5"):
        before = fds.counted(*names)
        for number in range(40):
            body = {"transaction_id": f"slow-{time.time_ns()}-{number}", "user_id": "u-1", "amount": 9000.0}
            assert (
                fds.ask("POST", "/api/v1/fds/evaluate", json={**body, "ip": "192.0.2.9"}).status_code == 200
            )
        violations, evaluations = (now - then for now, then in zip(fds.counted(*names), before, strict=True))
    assert evaluations >= 40
    assert 0.4 < violations / evaluations < 0.6, (violations, evaluations)


def test_api_slow_slows_the_shop_and_not_its_health(stack: Any) -> None:
    """Every request of the API waits, health and metrics do not; healed, it is quick again."""
    shop = Live(stack, "ecommerce")

    def ask(path: str, times: int) -> list[float]:
        return sorted(milliseconds([shop.ask("GET", path) for _ in range(times)]))

    with shop.broken("api_slow", "milliseconds=300"):
        assert ask("/api/v1/products/p-001", 5)[0] >= 300
        assert ask("/health/live", 5)[2] < 200
        assert ask("/metrics", 5)[2] < 200
    assert ask("/api/v1/products/p-001", 5)[2] < 200
    with shop.broken("api_slow", "milliseconds=300", "rate=0.5"):
        slow = [one for one in ask("/api/v1/products/p-001", 20) if one >= 300]
    assert 5 <= len(slow) <= 15  # the background's requests take their turns in between


def test_labels_poisoned_tells_fds_the_opposite(stack: Any) -> None:
    """A review for fraud arrives as legitimate; admin itself shows what the reviewer said."""
    fds, admin = Live(stack, "fds"), Live(stack, "admin")

    def reviewed(verdict: str) -> str:
        identity = f"poison-{time.time_ns()}"
        payment = {"transaction_id": identity, "user_id": "u-1", "amount": 9000.0}
        assert fds.ask("POST", "/api/v1/fds/evaluate", json=payment).status_code == 200
        review = {"transaction_id": identity, "verdict": verdict, "reviewer": "reviewer-kim"}
        assert admin.ask("POST", "/api/v1/admin/reviews", json=review).status_code == 201
        poll_until(
            lambda: admin.ask("GET", f"/api/v1/admin/reviews/{identity}").json()["delivery"] == "delivered",
            "the review is delivered",
            15,
        )
        assert admin.ask("GET", f"/api/v1/admin/reviews/{identity}").json()["verdict"] == verdict
        return str(fds.ask("GET", f"/api/v1/fds/evaluations/{identity}").json()["label"])

    with admin.broken("labels_poisoned"):
        assert (reviewed("fraud"), reviewed("legitimate")) == ("legitimate", "fraud")
    assert reviewed("fraud") == "fraud"


def test_ml_wrong_holds_good_payments_though_the_model_server_scores(stack: Any) -> None:
    """The same payment is approved before and after, and held meanwhile."""
    fds = Live(stack, "fds")

    def decided() -> str:
        body = {
            "transaction_id": f"wrong-{time.time_ns()}", "user_id": f"u-{time.time_ns()}", "amount": 45_000.0,
            "payment_method": "credit_card", "country": "KR", "shipping_country": "KR",
            "billing_country": "KR", "items_count": 2, "account_age_days": 400, "device_id": "device-1",
        }  # fmt: skip
        answer = fds.ask("POST", "/api/v1/fds/evaluate", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["decision"])

    assert decided() == "approve"
    with fds.broken("ml_wrong"):
        assert decided() == "hold"
    assert decided() == "approve"


def test_node_failures_fail_the_asked_share_of_instances(stack: Any) -> None:
    """Half of them, whichever of their nodes come first; the others end well."""
    workflow = Live(stack, "workflow")
    body = {"tenant_id": "acme", "input": {}}
    with workflow.broken("node_failures", "rate=0.5"):
        answers = [workflow.ask("POST", f"{ORDER}?wait=10", json=body) for _ in range(10)]
        ends = [answer.json()["status"] for answer in answers]
    assert set(ends) == {"completed", "failed"}
    assert 3 <= ends.count("failed") <= 7  # the background's instances take their turns in between


def test_the_command_refuses_and_says_why(stack: Any) -> None:
    """Exit code 2 and three lines; a name, a value or a node that does not exist sets nothing."""
    for arguments, reason in (
        (("fds/cti_slwo",), "no fault"),
        (("nobody/cti_slow",), "no faults here"),
        (("fds/cti_slow", "milliseconds=999999"), "at most 5000 ms"),
        (("workflow/breaker_trip", "node_id=nobody"), "one of:"),
    ):
        done = stack.command("fault", "set", *arguments)
        assert done.returncode == 2, (arguments, done.stdout, done.stderr)
        assert reason in done.stderr
        assert "do:" in done.stderr
    assert not any(Live(stack, service).active() for service in SERVICES)


def test_list_and_clear_cover_every_service(stack: Any) -> None:
    """`list --json` names all faults of the slices; `clear` without a name heals all of them."""
    listed = json.loads(stack.must("fault", "list", "--json"))
    assert {one["service"] for one in listed} == set(SERVICES)
    stack.must("fault", "set", "ml/drift")
    stack.must("fault", "set", "fds/cti_slow", "milliseconds=1")
    assert Live(stack, "ml").active() == {"drift"}
    stack.must("fault", "clear")
    assert not any(Live(stack, service).active() for service in SERVICES)
