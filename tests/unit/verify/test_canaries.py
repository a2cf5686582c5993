"""Planted secrets are recognised wherever they land, and their absence is believed only beside a marker."""

import io
import json
import random
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from rich.console import Console

from firedrill.clients import BackendError
from firedrill.errors import TopologyError
from firedrill.verify import verify
from firedrill.verify.canaries import Canaries, Target
from firedrill.verify.check import Missing, Seen
from firedrill.verify.declared import SECRETS, load_plan
from firedrill.verify.logfiles import DockerLogs, LocalLogFiles
from firedrill.verify.planted import kinds_in, make_marker, make_secrets
from telemetry.masking import mask_text
from telemetry.patterns import luhn

WISHES = """
  - {in: body, method: POST, path: /notes, body: {note: "{canary}"}, reaches: [logs]}
  - {in: error, path: "/notes/{canary}", each: true, secrets: [card, aws_key], reaches: [answer]}
"""


def outcomes(world: Any, *, deadline: float = 2.0) -> dict[str, dict[str, Any]]:
    """Every check's outcome by name."""
    machine = io.StringIO()
    verify(
        world,
        deadline_seconds=deadline,
        json_wanted=True,
        http=world.http(),
        console=Console(file=machine),
        interval=0.02,
        patience_seconds=0.1,
    )
    return {one["check"]: one for one in json.loads(machine.getvalue())["checks"]}


@pytest.mark.parametrize(
    ("place", "check"),
    [
        ("loki", "canaries: loki"),
        ("jaeger", "canaries: jaeger"),
        ("file", "canaries: log files"),
        ("answer", "canaries: error answers"),
        ("metrics", "canaries: metrics"),
        ("inbox", "canaries: inbox"),
    ],
)
def test_a_leak_is_found_where_it_is_and_fails_at_once(world: Any, place: str, check: str) -> None:
    """By kind, with the service and the way that the secret came, and nowhere else."""
    world.leaks = {place}
    found = outcomes(world, deadline=10)
    canaries = {name: one for name, one in found.items() if name.startswith("canaries")}
    failed = {name for name, one in canaries.items() if one["result"] == "failed"}
    assert failed == {check}
    for kind in SECRETS:
        assert kind in found[check]["detail"]
    assert "judgment" in found[check]["detail"]
    assert found[check]["seconds"] < 5


def test_without_its_marker_a_place_proves_nothing(world: Any) -> None:
    """A search that cannot find what must be there does not pass for having found no secret."""
    state = type(next(iter(world.state().values())))
    world.phases["promtail"] = state("held")
    found = outcomes(world)["canaries: loki"]
    assert found["result"] == "failed"
    assert "markers of 1 of 1 requests are not there" in found["detail"]
    assert "judgment path" in found["detail"]


def test_each_run_plants_other_values(world: Any) -> None:
    """What an earlier run left behind cannot be taken for this one's."""
    outcomes(world)
    first = {str(one.url) for one in world.canaries}
    world.canaries.clear()
    outcomes(world)
    assert first.isdisjoint({str(one.url) for one in world.canaries} - {"http://judgment/canary"})


def test_secrets_are_recognised_raw_and_not_when_masked() -> None:
    """Each kind looks like a real one to the masker; a marker passes it."""
    for seed in range(200):
        chance = random.Random(seed)
        planted, marker = make_secrets(chance), make_marker(chance)
        assert tuple(secret.kind for secret in planted) == SECRETS
        card = next(secret.text for secret in planted if secret.kind == "card")
        assert luhn([int(digit) for digit in card])
        text = " ".join([marker, *(secret.text for secret in planted)])
        assert kinds_in(text, planted) == list(SECRETS)
        masked = mask_text(text)
        assert kinds_in(masked, planted) == []
        assert marker in masked


def test_declared_requests_carry_what_fits(tmp_path: Path) -> None:
    """All secrets together in one field, or one after another where the field is short."""
    (tmp_path / "shop").mkdir()
    path = tmp_path / "shop/probe.yml"
    head = "job: s\nrequest: {path: /}\nmetrics: {moving: []}\nlogs: []\nspans: []\ncanaries:"
    path.write_text(head + WISHES)
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(404)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        canaries = Canaries([Target("shop", "http://shop", load_plan(path).canaries)], http=http)
        assert isinstance(canaries.attempt(), Seen)
        assert isinstance(canaries.attempt(), Seen)
    assert [one.channel for one in canaries.sent] == ["path", "query", "header", "body", "error", "error"]
    assert len(seen) == 6
    by_kind = {secret.kind: secret.text for secret in canaries.planted}
    note = json.loads(seen[3].content)["note"]
    assert all(text in note for text in by_kind.values())
    assert seen[4].url.path.endswith(":" + by_kind["card"])
    assert len({one.headers["traceparent"].split("-")[1] for one in seen}) == 1
    assert set(canaries.markers("answer").values()) == {"shop error"}
    header = seen[2].headers
    for name in ("user-agent", "tracestate", "baggage"):
        assert by_kind["aws_key"] in header[name]


def test_a_service_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    """And until all have answered there is nothing to search for."""
    works = False

    def answer(request: httpx.Request) -> httpx.Response:
        if not works:
            raise httpx.ConnectError("refused", request=request)
        return httpx.Response(200)

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        canaries = Canaries([Target("shop", "http://shop")], http=http)
        assert isinstance(canaries.attempt(), Missing)
        assert canaries.sent == ()
        works = True
        assert isinstance(canaries.attempt(), Seen)
        assert len(canaries.sent) == 3


@pytest.mark.parametrize(
    "wrong",
    [
        "{in: nowhere, path: /, reaches: [logs]}",
        "{in: body, path: /, reaches: [logs], secrets: [sekret]}",
        "{in: body, path: /, reaches: [moon]}",
    ],
)
def test_a_declaration_that_means_nothing_is_refused(tmp_path: Path, wrong: str) -> None:
    """A spelling mistake must not leave a canary unsent."""
    path = tmp_path / "probe.yml"
    head = "job: s\nrequest: {path: /}\nmetrics: {moving: []}\nlogs: []\nspans: []\n"
    path.write_text(f"{head}canaries: [{wrong}]\n")
    with pytest.raises(TopologyError):
        load_plan(path)


def test_log_files_are_read_from_where_they_ended(tmp_path: Path) -> None:
    """Old lines do not count; a file that is new or was rotated is read whole."""
    old, rotated = tmp_path / "old.log", tmp_path / "rotated.log"
    old.write_text("before\n")
    rotated.write_text("before\n")
    files = LocalLogFiles([tmp_path, tmp_path / "absent"])
    assert list(files.gained()) == []
    with old.open("a") as stream:
        stream.write("after\n")
    rotated.replace(tmp_path / "rotated.log.1")
    rotated.write_text("newer\n")
    (tmp_path / "new.log").write_text("new\n")
    assert {Path(name).name: text for name, text in files.gained()} == {
        "old.log": "after\n",
        "rotated.log": "newer\n",
        "new.log": "new\n",
    }


def test_containers_logs_are_asked_for_since_the_start() -> None:
    """From docker compose, whose own words end a failure."""
    asked: list[Sequence[str]] = []

    def run(words: Sequence[str]) -> "subprocess.CompletedProcess[str]":
        asked.append(words)
        return subprocess.CompletedProcess(words, int(len(asked) > 1), "a line\n", "no such engine")

    logs = DockerLogs(Path("docker-compose.yml"), run=run)
    assert [text for _, text in logs.gained()] == ["a line\n"]
    assert "--since" in asked[0]
    with pytest.raises(BackendError, match="docker compose logs"):
        list(logs.gained())
