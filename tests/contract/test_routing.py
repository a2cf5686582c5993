"""Alertmanager's routes, receivers, times and inhibitions are those that were agreed on, at both paces."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from firedrill import promtool
from firedrill.binaries import locate
from firedrill.pace import PACES, pace_duration, pace_file

ROOT = Path(__file__).parents[2]
FILE = ROOT / "config/alertmanager/alertmanager.yml"
CONFIG: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
RECEIVERS: dict[str, Any] = {one["name"]: one for one in CONFIG["receivers"]}

# system, severity -> receiver, where it delivers, repeat_interval; "info" stands for any other severity.
ROUTES: dict[tuple[str, str], tuple[str, tuple[str, ...], str]] = {
    ("ai-factory", "critical"): ("ai-factory-critical", ("pagerduty",), "5m"),
    ("ai-factory", "warning"): ("ai-factory-warning", ("slack #factory-ai-warnings",), "30m"),
    ("ai-factory", "info"): ("ai-factory-other", ("slack #factory-ai-alerts",), "4h"),
    ("ai-factory", "none"): ("ai-factory-other", ("slack #factory-ai-alerts",), "4h"),
    ("shopfds", "critical"): ("shopfds-critical", ("slack #shopfds-alerts", "pagerduty"), "4h"),
    ("shopfds", "warning"): ("shopfds-warning", ("slack #shopfds-alerts",), "4h"),
    ("shopfds", "info"): ("inbox", ("webhook",), "4h"),
    ("artisan", "critical"): ("artisan-critical", ("slack #artisan-alerts", "pagerduty"), "4h"),
    ("artisan", "warning"): ("artisan-warning", ("slack #artisan-alerts",), "4h"),
    ("artisan", "info"): ("inbox", ("webhook",), "4h"),
    ("aegis", "critical"): ("aegis-critical", ("slack #alerts-critical", "e-mail ops-team"), "1h"),
    ("aegis", "warning"): ("aegis-warning", ("slack #alerts-warning",), "1h"),
    ("aegis", "info"): ("aegis-other", ("webhook",), "1h"),
    ("kerp", "critical"): ("kerp-critical", ("slack #kerp-alerts-critical",), "4h"),
    ("kerp", "warning"): ("kerp-warning", ("slack #kerp-alerts",), "4h"),
    ("kerp", "info"): ("inbox", ("webhook",), "4h"),
    ("platform", "critical"): ("platform-critical", ("slack #platform", "pagerduty"), "4h"),
    ("platform", "warning"): ("platform-warning", ("slack #platform",), "4h"),
    ("platform", "none"): ("heartbeat", ("webhook",), "30s"),
    ("platform", "info"): ("inbox", ("webhook",), "4h"),
    ("", "critical"): ("inbox", ("webhook",), "4h"),
    ("unheard-of", "warning"): ("inbox", ("webhook",), "4h"),
}
# system -> group_wait, group_interval.
TIMES = {
    "ai-factory": ("10s", "5m"), "shopfds": ("10s", "5m"), "artisan": ("10s", "5m"), "aegis": ("10s", "10s"),
    "kerp": ("30s", "5m"), "platform": ("10s", "5m"),
}  # fmt: skip

needs_amtool = pytest.mark.skipif(
    locate("amtool") is None, reason="amtool is not on this machine; get it: firedrill build alertmanager"
)
every_route = pytest.mark.parametrize(("system", "severity"), ROUTES, ids=lambda value: value or "no-system")


@pytest.fixture(params=PACES)
def paced(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The configuration at each pace, with its templates."""
    target = tmp_path / FILE.name
    target.write_text(pace_file(FILE, FILE.read_text("utf-8"), request.param), "utf-8")
    (tmp_path / "templates").symlink_to(FILE.parent / "templates")
    return target


def _route(system: str, severity: str) -> dict[str, Any]:
    """The route that takes an alert, with what it inherits; only the two labels are matched here."""
    found = {name: value for name, value in CONFIG["route"].items() if name != "routes"}
    level = CONFIG["route"].get("routes", [])
    for wanted in (f'system="{system}"', f'severity="{severity}"'):
        match = next((one for one in level if one["matchers"] == [wanted]), None)
        if match is None:
            break
        found |= {name: value for name, value in match.items() if name != "routes"}
        level = match.get("routes", [])
    return found


def _delivers(receiver: dict[str, Any]) -> tuple[str, ...]:
    """Where a receiver delivers, in words."""
    return (
        *(f"slack {one['channel']}" for one in receiver.get("slack_configs", ())),
        *("pagerduty" for _ in receiver.get("pagerduty_configs", ())),
        *(f"e-mail {one['to'].partition('@')[0]}" for one in receiver.get("email_configs", ())),
        *("webhook" for _ in receiver.get("webhook_configs", ())),
    )


@needs_amtool
def test_amtool_is_content(paced: Path) -> None:
    """Syntax, routes, receivers and templates."""
    promtool.check_alertmanager(paced)


@needs_amtool
@every_route
def test_an_alert_reaches_its_receiver(system: str, severity: str, paced: Path) -> None:
    """amtool walks the tree; exactly one receiver takes each alert."""
    labels = {"alertname": "A", "severity": severity, **({"system": system} if system else {})}
    assert promtool.receivers(paced, labels) == [ROUTES[system, severity][0]]


@every_route
def test_a_receiver_delivers_where_it_was_agreed(system: str, severity: str) -> None:
    """Slack's channels, PagerDuty, e-mail and webhooks."""
    name, places, _ = ROUTES[system, severity]
    assert _delivers(RECEIVERS[name]) == places


@every_route
def test_how_often_it_is_said_again(system: str, severity: str) -> None:
    """repeat_interval by system and severity; group_wait and group_interval by system."""
    route = _route(system, severity)
    assert route["receiver"] == ROUTES[system, severity][0]
    assert route["repeat_interval"] == ROUTES[system, severity][2]
    wait, interval = TIMES.get(system, ("10s", "5m"))
    assert route["group_wait"] == wait
    assert route["group_interval"] == ("1m" if route["receiver"] == "heartbeat" else interval)
    assert route["group_by"] == ["alertname", "system", "service"]


def test_no_receiver_stands_idle() -> None:
    """Each is reached by some alert."""
    assert {name for name, _, _ in ROUTES.values()} == RECEIVERS.keys()


def test_everybody_hears_that_it_is_over() -> None:
    """Every receiver but the heartbeat, whose end is no news."""
    for name, receiver in RECEIVERS.items():
        for kind, configs in receiver.items():
            for one in configs if kind.endswith("_configs") else ():
                assert one["send_resolved"] is (name != "heartbeat"), name
    assert CONFIG["global"]["resolve_timeout"] == "5m"


def test_two_inhibitions_and_no_other() -> None:
    """Both sides ask for the label, for a label that is missing on both sides counts as equal."""
    assert CONFIG["inhibit_rules"] == [
        {
            "source_matchers": ['burn="fast"', 'slo=~".+"'],
            "target_matchers": ['burn="slow"', 'slo=~".+"'],
            "equal": ["system", "slo"],
        },
        {
            "source_matchers": ['alertname="TargetDown"', 'instance=~".+"'],
            "target_matchers": ['severity="warning"', 'instance=~".+"'],
            "equal": ["instance"],
        },
    ]


def test_keys_come_from_files() -> None:
    """No Slack address and no routing key stands in the configuration."""
    for receiver in RECEIVERS.values():
        for one in receiver.get("slack_configs", ()):
            channel = one["channel"].removeprefix("#")
            assert one["api_url_file"] == f"/etc/delivery/slack-{channel}.txt"
            assert "api_url" not in one
        for one in receiver.get("pagerduty_configs", ()):
            system = receiver["name"].removesuffix("-critical")
            assert one["routing_key_file"] == f"/etc/delivery/pagerduty-{system}.txt"
            assert not {"routing_key", "service_key", "service_key_file"} & one.keys()


def test_the_heartbeat_beats_every_group_interval() -> None:
    """A repeat_interval of half a group_interval makes each one a heartbeat; three may be missed."""
    route = _route("platform", "none")
    assert (route["group_interval"], route["repeat_interval"]) == ("1m", "30s")
    assert pace_duration("1m", "demo") == "6s"
