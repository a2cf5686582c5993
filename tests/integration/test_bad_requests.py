"""Generated bad requests against each service's own OpenAPI document: refused, never answered with 5xx."""

import json
import os
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

# FIREDRILL_BAD_REQUESTS=2000 is the full run: about ten minutes for all services on two cores.
WANTED = int(os.environ.get("FIREDRILL_BAD_REQUESTS", "200"))
MOST_A_SECOND = 200
ROUNDS = 12
SERVICES = ("judgment", "fds", "inbox", "workflow", "ml", "admin", "ecommerce")


@dataclass
class Answers:
    """What was answered: how often which status, how many operations were tried, and what must not be."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    failed: list[str] = field(default_factory=list)

    def take(self, report: Path) -> int:
        """Add the requests of one run of Schemathesis; how many of its operations could be fuzzed."""
        fuzzed = set()
        for phase, label, request, response in _interactions(report):
            self.operations.add(label)
            if phase == "fuzzing":
                fuzzed.add(label)
            status = response["status_code"] if response else 0
            self.statuses[status] += 1
            if status >= 500 or status == 0:
                self.failed.append(f"{status} for {json.dumps(request)[:2000]}")
        return len(fuzzed)


def _interactions(report: Path) -> Iterator[tuple[str, str, Any, Any]]:
    """Phase, operation, request and response of everything that was sent."""
    with report.open(encoding="utf-8") as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished")
            recorder = scenario["recorder"] if scenario else {}
            for one in recorder.get("interactions", {}).values():
                yield scenario["phase"], recorder["label"], one["request"], one.get("response")


def generate(url: str, report: Path, *, phases: str, examples: int, seed: int, headers: list[str]) -> str:
    """One run of Schemathesis with nothing but invalid requests; what it printed."""
    command = [
        str(Path(sys.executable).parent / "st"), "run", f"{url}/openapi.json", "--url", url,
        "--mode", "negative", "--phases", phases, "--max-examples", str(examples), "--seed", str(seed),
        "--checks", "not_a_server_error", "--continue-on-failure", "--no-shrink", "--no-color",
        "--suppress-health-check", "all", "--generation-database", "none", "--warnings", "off",
        "--rate-limit", f"{MOST_A_SECOND}/s", "--request-timeout", "10",
        "--report", "ndjson", "--report-ndjson-path", str(report), *headers,
    ]  # fmt: skip
    done = subprocess.run(
        command, cwd=report.parent, capture_output=True, text=True, check=False, timeout=900
    )
    assert report.exists(), f"no report: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def enough(url: str, folder: Path, headers: list[str]) -> Answers:
    """Answers to at least WANTED bad requests: first each kind of mistake once, then random ones."""
    answers = Answers()
    fuzzable = 0
    for number in range(1, ROUNDS + 1):
        left = WANTED - answers.statuses.total()
        if number > 1 and left <= 0:
            break
        report = folder / f"round-{number}.ndjson"
        phases = "coverage,fuzzing" if number == 1 else "fuzzing"
        examples = max(10, left // (fuzzable or 8) + 1)
        said = generate(url, report, phases=phases, examples=examples, seed=number, headers=headers)
        fuzzable = answers.take(report) or fuzzable
        assert fuzzable, f"nothing could be made wrong in {url}:\n{said[-3000:]}"
        report.unlink()
    return answers


@pytest.fixture
def who(stack: Any, request: pytest.FixtureRequest) -> list[str]:
    """In the shop a customer asks, or most routes would look at nothing but the missing log-in."""
    if request.node.callspec.params["service"] != "ecommerce":
        return []
    body = {"email": f"bad-{secrets.token_hex(6)}@mail.example", "password": secrets.token_hex(8)}
    answer = stack.http.post(f"{stack.view().url('ecommerce')}/api/v1/users/register", json=body)
    return ["--header", f"Authorization: Bearer {answer.json()['token']}"]


@pytest.mark.parametrize("service", SERVICES)
def test_bad_requests_are_refused(stack: Any, service: str, who: list[str], tmp_path: Path) -> None:
    """No generated bad request is answered with a server error, and the service is ready afterwards."""
    url = stack.view().url(service)
    answers = enough(url, tmp_path, who)
    told = ", ".join(f"{count} of {status}" for status, count in sorted(answers.statuses.items()))
    count, operations = answers.statuses.total(), len(answers.operations)
    print(f"\n{service}: {count} bad requests to {operations} operations: {told}")
    assert answers.failed == []
    assert answers.statuses.total() >= WANTED
    assert stack.http.get(f"{url}/health/ready").status_code == 200
