"""The services that settings choose between, in both runtimes."""

from pathlib import Path

import pytest

from firedrill.copies import paced_copies
from firedrill.local.addresses import Addresses
from firedrill.local.configs import is_target, render
from firedrill.local.layout import Layout
from firedrill.local.plan import make_plan
from firedrill.settings import Settings, read_settings
from firedrill.switches import active_profiles, log_shipper, replaced

PROJECT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("value", "shipper", "other"),
    [("promtail", "promtail", "log-collector"), ("collector", "log-collector", "promtail")],
)
def test_one_of_the_two_reads_the_log_files(value: str, shipper: str, other: str, tmp_path: Path) -> None:
    """Never both, and never none; the one that does not run is named with the setting that starts it."""
    settings = Settings({"LOGS": value, "PACE": "demo"})
    assert log_shipper(settings.values) == shipper
    assert list(replaced(settings.values)) == [other]
    plan = make_plan(
        PROJECT, settings, Layout(tmp_path), pace=lambda path, text: text, find=lambda name: None
    )
    assert shipper in plan.processes
    assert "LOGS=collector" in plan.left_out[other]
    targets = {file.target.stem for file in plan.files() if is_target(file.target)}
    assert shipper in targets
    assert other not in targets


@pytest.mark.parametrize(
    ("profiles", "active"),
    [("", set()), ("cadvisor", {"cadvisor"}), (" cadvisor, ,x", {"cadvisor", "x"}), ("log-collector", set())],
)
def test_profiles_of_the_settings(profiles: str, active: set[str]) -> None:
    """Those asked for; the one of the log shipper follows LOGS alone, or two would read the same files."""
    assert active_profiles({"COMPOSE_PROFILES": profiles}) == active
    wanted = active_profiles({"COMPOSE_PROFILES": profiles, "LOGS": "collector"})
    assert wanted == active | {"log-collector"}


def test_what_runs_by_choice_is_a_target_beside_the_others(tmp_path: Path) -> None:
    """A folder opt-in is not discovered: a file of it moves up when its service starts."""
    source = tmp_path / "targets"
    (source / "opt-in").mkdir(parents=True)
    for name in ("web.yml", "opt-in/more.yml", "opt-in/never.yml"):
        (source / name).write_text("[]\n")
    rendered = render(
        tmp_path, Path("/o"), Addresses({}, {}, {}), pace=lambda path, text: text, started=frozenset({"more"})
    )
    assert [str(file.target) for file in rendered] == ["/o/targets/more.yml"]


@pytest.mark.parametrize("value", ["promtail", "collector"])
def test_containers_have_the_targets_of_what_runs(value: str, tmp_path: Path) -> None:
    """The copies that docker mounts, and the profiles that compose is told."""
    settings = read_settings(PROJECT, {"LOGS": value, "COMPOSE_PROFILES": "cadvisor"})
    environ = paced_copies(PROJECT, settings, tmp_path)
    targets = tmp_path / "config" / "prometheus" / "targets"
    found = {path.stem for path in targets.rglob("*.yml")}
    assert found >= {"cadvisor", log_shipper(settings.values), "judgment"}
    assert not found & set(replaced(settings.values))
    assert not list(targets.glob("*/*.yml"))
    expected = {"cadvisor"} | ({"log-collector"} if value == "collector" else set())
    assert set(environ["COMPOSE_PROFILES"].split(",")) == expected
