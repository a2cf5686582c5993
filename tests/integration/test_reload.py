"""Edited rules and routes reach a real Prometheus and Alertmanager; bad ones are named and do not."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from firedrill.binaries import locate
from firedrill.clients import Prometheus, open_http
from firedrill.errors import CheckFailed, FiredrillError
from firedrill.local.layout import Layout
from firedrill.local.plan import make_plan
from firedrill.local.programs import find_on_path, pacer
from firedrill.reload.apply import Live
from firedrill.reload.check import local_run
from firedrill.reload.command import reload
from firedrill.settings import read_settings
from firedrill.stack import Stack
from firedrill.wait import poll_until

ROOT = Path(__file__).resolve().parents[2]
OFFSET = "2960"
RULES, ROUTES = "services/fds/alerts.yml", "config/alertmanager/alertmanager.yml"
COPIED = ("docker-compose.yml", ".env.example", "config", "services", "dashboards", "own")

pytestmark = pytest.mark.skipif(
    not all(locate(name) for name in ("prometheus", "promtool", "alertmanager", "amtool")),
    reason="no Prometheus or Alertmanager here; get them: firedrill build prometheus alertmanager",
)


class Components(Live):
    """The real two; the others, which this test does not run, are noted when they would be started again."""

    started_again: list[str]

    def restart(self, service: str) -> None:
        """Note it."""
        self.started_again.append(service)

    signal = restart


@dataclass
class Site:
    """A project of its own with the two components that run from it."""

    project: Path
    stack: Stack
    http: httpx.Client
    said: list[str] = field(default_factory=list)
    started_again: list[str] = field(default_factory=list)

    def edit(self, name: str, before: str, after: str) -> None:
        """Change a file of the project."""
        path = self.project / name
        text = path.read_text("utf-8")
        assert before in text, name
        path.write_text(text.replace(before, after, 1), "utf-8")

    def reload(self) -> int:
        """As `make reload`."""
        self.said.clear()
        self.started_again.clear()
        components = Components(self.stack, self.http)
        object.__setattr__(components, "started_again", self.started_again)
        return reload(self.stack, components, run=local_run, say=self.said.append)

    def refusal(self) -> FiredrillError:
        """The error of a reload that has to fail."""
        with pytest.raises(FiredrillError) as refused:
            self.reload()
        return refused.value

    def summaries(self) -> set[str]:
        """What the loaded alerts say."""
        groups = Prometheus(self.stack.url("prometheus"), http=self.http).get("/api/v1/rules")["data"][
            "groups"
        ]
        return {
            rule["annotations"]["summary"] for one in groups for rule in one["rules"] if "annotations" in rule
        }

    def routes(self) -> dict[str, Any]:
        """The route tree that Alertmanager uses."""
        status = self.http.get(f"{self.stack.url('alertmanager')}/api/v2/status").json()
        found: dict[str, Any] = yaml.safe_load(status["config"]["original"])["route"]
        return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The two components from a copy of the project, at demo pace."""
    project, state = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("state")
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, project / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, project / name)
    settings = read_settings(project, {"PORT_OFFSET": OFFSET, "PACE": "demo"})
    layout = Layout(state)
    plan = make_plan(project, settings, layout, pace=pacer("demo"), find=find_on_path)
    for folder in plan.folders:
        folder.mkdir(parents=True, exist_ok=True)
    for file in plan.files():
        file.target.parent.mkdir(parents=True, exist_ok=True)
        file.target.write_bytes(file.content)
    stack = Stack(
        "local", "demo", project, frozenset(plan.processes), settings.values,
        {name: dict(own) for name, own in plan.ports.items()}, state, {},
    )  # fmt: skip
    processes = []
    with open_http() as http, (state / "output.log").open("wb") as log:
        for name in ("prometheus", "alertmanager"):
            command = [str(locate(name)), *plan.processes[name].arguments]
            processes.append(subprocess.Popen(command, stdout=log, stderr=log))
        try:
            for name in ("prometheus", "alertmanager"):
                poll_until(_ready(http, stack.url(name)), f"{name} ready", 60)
            yield Site(project, stack, http)
        finally:
            for process in processes:
                process.terminate()
                process.wait(20)


def _ready(http: httpx.Client, url: str) -> Callable[[], bool]:
    return lambda: http.get(f"{url}/-/ready").is_success


@pytest.fixture
def site(running: Site) -> Iterator[Site]:
    """The project as it was, before and after each test."""
    yield running
    for name in (RULES, ROUTES, "config/loki/loki.yml"):
        shutil.copy(ROOT / name, running.project / name)
    running.reload()


def test_nothing_changed(site: Site) -> None:
    """Everything is checked, nothing is touched."""
    assert site.reload() == 0
    assert site.said[-1] == "nothing to reload: every rule and config is what runs already"
    assert [line.split() for line in site.said[:2]] == [
        ["prometheus", "promtool", "ok"],
        ["alertmanager", "amtool", "ok"],
    ]


def test_an_edited_rule_is_in_force_at_the_stacks_pace(site: Site) -> None:
    """Prometheus evaluates the new text, and the copy is paced as all are."""
    site.edit(RULES, "summary: Fraud evaluations are too slow", "summary: Evaluations take too long")
    assert site.reload() == 0
    assert site.said[-1].split() == ["prometheus", "reloaded"]
    assert "Evaluations take too long" in site.summaries()
    assert "Fraud evaluations are too slow" not in site.summaries()
    groups = Prometheus(site.stack.url("prometheus"), http=site.http).get("/api/v1/rules")["data"]["groups"]
    waits = {rule["name"]: rule.get("duration") for one in groups for rule in one["rules"]}
    assert waits["FDSSLAViolation"] == 30


def test_an_edited_route_is_in_force(site: Site) -> None:
    """The same for Alertmanager."""
    site.edit(ROUTES, "group_wait: 10s", "group_wait: 20s")
    assert site.reload() == 0
    assert site.said[-1].split() == ["alertmanager", "reloaded"]
    assert site.routes()["group_wait"] == "2s"


@pytest.mark.parametrize(
    ("name", "before", "after", "why"),
    [
        (RULES, "sum(increase(fds", "sum(increase((fds", "parse error"),
        (RULES, "for: 10m", "forr: 10m", "field forr not found"),
        (RULES, "for: 10m", "for: 10 m", "unknown unit"),
        (ROUTES, "receiver: ai-factory-critical", "receiver: nobody", 'undefined receiver "nobody"'),
        (ROUTES, "group_wait: 10s", "group_waitt: 10s", "field group_waitt not found"),
        (ROUTES, "group_by: [alertname", "group_by: [[alertname", "did not find expected"),
    ],
    ids=["expression", "field", "duration", "receiver", "timing", "yaml"],
)
def test_a_bad_edit_is_named_and_nothing_is_touched(
    site: Site, name: str, before: str, after: str, *, why: str
) -> None:
    """File, line and the tool's reason; the components run on with what they had."""
    rules, routes = site.summaries(), site.routes()
    site.edit(name, before, after)
    rows = (site.project / name).read_text("utf-8").splitlines()
    edited = next(number for number, row in enumerate(rows, 1) if after in row)
    text = str(site.refusal())
    assert why in text
    # An expression begins on the line before its first word; the end of a bracket is missed on the next line.
    assert any(f"{name}:{line}: " in text for line in range(edited - 1, edited + 2)), text
    assert (site.summaries(), site.routes()) == (rules, routes)


def test_a_bad_file_keeps_a_good_one_from_being_reloaded(site: Site) -> None:
    """All or nothing: what belongs together is never half in force."""
    site.edit(RULES, "summary: Fraud evaluations are too slow", "summary: Evaluations take too long")
    site.edit(ROUTES, "receiver: ai-factory-critical", "receiver: nobody")
    assert isinstance(site.refusal(), CheckFailed)
    assert "Fraud evaluations are too slow" in site.summaries()


@pytest.mark.skipif(locate("loki") is None, reason="no Loki here; get it: firedrill build loki")
def test_a_component_without_reload_is_started_again(site: Site) -> None:
    """Its file is checked by itself and put in place."""
    site.edit("config/loki/loki.yml", "chunk_idle_period: 30m", "chunk_idle_period: 20m")
    assert site.reload() == 0
    assert site.started_again == ["loki"]
    site.edit("config/loki/loki.yml", "chunk_idle_period: 20m", "chunk_idle_periodd: 20m")
    assert "config/loki/loki.yml:" in str(site.refusal())
    live = Layout(site.stack.state_folder).config_of("loki") / "etc/loki/loki.yml"
    assert "chunk_idle_period: 20m" in live.read_text("utf-8")
    site.started_again.clear()
