"""`firedrill fault` against the real routes of two services: what it prints, sets, heals and refuses."""

import asyncio
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from rich.console import Console

from faults import Fault, Parameter, Switch
from faults.switch import SwitchSettings
from firedrill.ask.screen import screen
from firedrill.clients import Unreachable
from firedrill.errors import EnvironmentProblem, FiredrillError, UsageError
from firedrill.fault.client import Faults
from firedrill.fault.command import do_clear, do_set, show_list, split_name, split_parameter
from telemetry.metrics import Metrics

DECLARED = {
    "fds": (
        Fault(
            "cti_slow",
            "Lookups take longer",
            (
                Parameter("milliseconds", 150, 1, 5_000, "ms", "added to each"),
                Parameter("rate", 1.0, 0, 1, "share", "share of evaluations"),
            ),
        ),
    ),
    "workflow": (Fault("trip", "", (Parameter("node_id", "all", choices=("all", "a")),)),),
}
PORTS = {"fds": 8001, "workflow": 8011, "inbox": 8090, "admin": 8003}


@dataclass
class Stack:
    """A stack of two services with faults, one without, and one that has been stopped."""

    root: Path
    settings: Mapping[str, str] = field(default_factory=lambda: {"FAULTS_TOKEN": "open"})
    started: frozenset[str] = frozenset({"fds", "workflow", "inbox", "admin"})

    def url(self, service: str, container_port: int | None = None) -> str:
        return f"http://127.0.0.1:{PORTS[service]}"


@dataclass
class Services:
    """The services' switches, and a client that reaches their applications by port."""

    root: Path
    why_disabled: str = ""

    def __post_init__(self) -> None:
        self.switches = {name: self._switch(name) for name in DECLARED}
        self._apps = {PORTS[name]: self._app(switch) for name, switch in self.switches.items()}
        for name in (*DECLARED, "admin"):
            (self.root / "services" / name).mkdir(parents=True)
            (self.root / "services" / name / "faults.py").touch()

    def _switch(self, name: str) -> Switch:
        settings = SwitchSettings("open", self.root / "state", self.why_disabled)
        return Switch(name, DECLARED[name], settings, monotonic=iter(range(10**6)).__next__)

    def _app(self, switch: Switch) -> FastAPI:
        app = FastAPI()
        switch.install(app, Metrics())
        return app

    def http(self) -> httpx.Client:
        """As the command has it."""

        async def asked(app: FastAPI, request: httpx.Request) -> httpx.Response:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
                return await client.send(request)

        def pass_on(request: httpx.Request) -> httpx.Response:
            app = self._apps.get(request.url.port or 0)
            if app is None:
                raise httpx.ConnectError("refused", request=request)
            # A request that a synchronous client made carries its body only so.
            again = httpx.Request(
                request.method, request.url, content=request.read(), headers=request.headers
            )
            answer = asyncio.run(asked(app, again))
            return httpx.Response(answer.status_code, content=answer.content)

        return httpx.Client(transport=httpx.MockTransport(pass_on))

    def faults(self, **stack: Any) -> Faults:
        """The command's side."""
        return Faults(Stack(self.root, **stack), http=self.http())


@pytest.fixture
def services(tmp_path: Path) -> Services:
    """Services that take faults."""
    return Services(tmp_path)


@pytest.fixture
def out() -> tuple[io.StringIO, Console]:
    """A console that is not a terminal, and what it wrote."""
    text = io.StringIO()
    return text, screen(text)


Out = tuple[io.StringIO, Console]


def test_set_sets_and_says_for_how_long_and_how_to_heal(services: Services, out: Out) -> None:
    """Numbers arrive as numbers; what was not named has its default."""
    assert do_set(out[1], services.faults(), "fds/cti_slow", ["rate=0.5"], ttl_seconds=60) == 0
    assert services.switches["fds"].active("cti_slow") == {"milliseconds": 150, "rate": 0.5}
    said = out[0].getvalue()
    assert "fds/cti_slow: SET milliseconds=150 rate=0.5, heals itself in 60 s" in said
    assert "firedrill fault clear fds/cti_slow" in said
    do_set(out[1], services.faults(), "workflow/trip", ["node_id=a"], ttl_seconds=None)
    assert services.switches["workflow"].active("trip") == {"node_id": "a"}


def test_list_shows_bounds_and_what_is_set(services: Services, out: Out) -> None:
    """Of all running services that have faults, or of those that are named; as text and as JSON."""
    services.switches["fds"].set("cti_slow", {"milliseconds": 7}, 60)
    assert show_list(out[1], services.faults(), ["fds", "workflow"], as_json=False) == 0
    said = out[0].getvalue()
    assert "fds/cti_slow: SET milliseconds=7 rate=1, heals itself in 60 s" in said
    assert "milliseconds=150 ms (1 to 5000): added to each" in said
    assert "workflow/trip\n" in said
    assert "node_id=all (one of all, a)" in said
    text = io.StringIO()
    show_list(screen(text), services.faults(), ["fds"], as_json=True)
    (told,) = json.loads(text.getvalue())
    assert (told["service"], told["name"], told["active"]["milliseconds"]) == ("fds", "cti_slow", 7)


def test_clear_heals_one_a_service_or_all(services: Services, out: Out) -> None:
    """And the rest stays as it was."""
    for switch, name in ((services.switches["fds"], "cti_slow"), (services.switches["workflow"], "trip")):
        switch.set(name, {}, 60)
    alive = frozenset(DECLARED)
    do_clear(out[1], services.faults(started=alive), ["fds/cti_slow"])
    assert not services.switches["fds"].all_active()
    assert services.switches["workflow"].all_active()
    do_clear(out[1], services.faults(started=alive), [])
    assert not services.switches["workflow"].all_active()
    assert out[0].getvalue().splitlines() == ["fds/cti_slow: healed", "fds: healed", "workflow: healed"]


def test_a_dead_service_does_not_keep_the_others_from_being_healed(services: Services, out: Out) -> None:
    """admin is asked first and does not answer: the others are healed, and the command fails."""
    services.switches["fds"].set("cti_slow", {}, 60)
    with pytest.raises(Unreachable, match="admin does not answer"):
        do_clear(out[1], services.faults(), [])
    assert not services.switches["fds"].all_active()


@pytest.mark.parametrize(
    ("asked", "error", "why"),
    [
        (["fds"], UsageError, "service/name"),
        (["fds/"], UsageError, "service/name"),
        (["/cti_slow"], UsageError, "service/name"),
        (["fds/cti/slow"], UsageError, "service/name"),
        (["inbox/cti_slow"], UsageError, "admin, fds, workflow"),
        (["nobody/cti_slow"], UsageError, "admin, fds, workflow"),
        (["fds/cti_slwo"], UsageError, "no fault"),
        (["fds/cti_slow", "milliseconds"], UsageError, "key=value"),
        (["fds/cti_slow", "=5"], UsageError, "key=value"),
        (["fds/cti_slow", "milliseconds=nan"], UsageError, "finite"),
        (["fds/cti_slow", "milliseconds=9999"], UsageError, "at most 5000 ms"),
        (["fds/cti_slow", "milliseconds=1.5"], UsageError, "whole number"),
        (["fds/cti_slow", "speed=1"], UsageError, "no parameter 'speed'"),
        (["workflow/trip", "node_id=b"], UsageError, "one of: all, a"),
        (["admin/fds_down"], Unreachable, "refused"),
    ],
)
def test_what_is_refused_says_why_and_sets_nothing(
    services: Services, out: Out, asked: list[str], error: type[FiredrillError], why: str
) -> None:
    """Three lines with the service's own reason, and an exit code that is not 0."""
    with pytest.raises(error) as caught:
        do_set(out[1], services.faults(), asked[0], asked[1:], ttl_seconds=60)
    assert why in str(caught.value)
    assert "do:" in str(caught.value)
    assert caught.value.exit_code
    assert not any(switch.all_active() for switch in services.switches.values())


@pytest.mark.parametrize("ttl", [0, -1, 3601, float("nan"), float("inf")])
def test_a_time_to_live_out_of_bounds_is_refused(services: Services, out: Out, ttl: float) -> None:
    """One second to an hour."""
    with pytest.raises(UsageError):
        do_set(out[1], services.faults(), "fds/cti_slow", [], ttl_seconds=ttl)
    assert not services.switches["fds"].all_active()


def test_without_or_with_a_wrong_token_it_says_what_to_compare(services: Services, out: Out) -> None:
    """The token itself is never printed."""
    with pytest.raises(EnvironmentProblem, match="FAULTS_TOKEN is empty"):
        services.faults(settings={})
    with pytest.raises(EnvironmentProblem, match="FAULTS_TOKEN") as caught:
        show_list(out[1], services.faults(settings={"FAULTS_TOKEN": "secret-1"}), ["fds"], as_json=False)
    assert "secret-1" not in str(caught.value) + out[0].getvalue()


def test_where_faults_are_off_it_says_why(tmp_path: Path, out: Out) -> None:
    """The service's own reason: production, or what is not set."""
    services = Services(tmp_path, why_disabled="faults are never available in ENVIRONMENT=production")
    with pytest.raises(EnvironmentProblem, match="ENVIRONMENT=production"):
        do_set(out[1], services.faults(), "fds/cti_slow", [], ttl_seconds=60)


def test_names_and_parameters_are_split() -> None:
    """A whole number stays one, however it is written; a text with = in it is a text."""
    assert split_name("fds/cti_slow") == ("fds", "cti_slow")
    assert split_name("fds") == ("fds", None)
    assert split_parameter("a=1e3") == ("a", 1000)
    assert split_parameter("a=0.25") == ("a", 0.25)
    assert split_parameter("a=b=c") == ("a", "b=c")
