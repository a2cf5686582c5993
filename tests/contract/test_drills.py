"""Every drill: its fault carries its rule, only its fault does, and its notices are where it looks."""

from functools import lru_cache
from pathlib import Path

import pytest
import yaml

from firedrill import promtool
from firedrill.binaries import locate
from firedrill.drill.bound import History, lower_bound
from firedrill.drill.declared import declared_drills
from firedrill.drill.model import EVERYTHING, HEARTBEAT, Deadlines, Drill, ProcessFault
from firedrill.drill.needed import needed_rules
from firedrill.drill.ports import LoadedRule, Timings
from firedrill.pace import PACES, comparisons, pace_duration, pace_expression, pace_file, seconds
from firedrill.pace.check import PROJECT, materialise
from firedrill.topology import read_topology

DRILLS = declared_drills(PROJECT)
OF_ALERTS = [drill for drill in DRILLS if drill.kind != HEARTBEAT]
A_MINUTE = Deadlines(60, 60)
LONGEST_WINDOW = 900.0  # seconds; promtool would take too long for a check over windows of hours


def _name(value: object) -> str:
    return value.name if isinstance(value, Drill) else str(value)


needs_promtool = pytest.mark.skipif(
    locate("promtool") is None, reason="promtool is not on this machine; get it: firedrill build prometheus"
)
needs_amtool = pytest.mark.skipif(
    locate("amtool") is None, reason="amtool is not on this machine; get it: firedrill build alertmanager"
)
every_drill = pytest.mark.parametrize("drill", DRILLS, ids=_name)
every_drill_of_an_alert = pytest.mark.parametrize("drill", OF_ALERTS, ids=_name)


def _loaded(drill: Drill, pace: str) -> LoadedRule:
    """The drill's rule as Prometheus loads it at `pace`, with all rules of its slice."""
    return _of_slice(drill.file, drill.alert, pace)


@lru_cache
def _of_slice(file: Path, alert: str, pace: str) -> LoadedRule:
    groups = []
    for path in (file.with_name("alerts.yml"), file.with_name("slo_rules.yml")):
        if path.exists():
            groups += yaml.safe_load(pace_file(path, path.read_text("utf-8"), pace))["groups"]
    rules = (rule for group in groups for rule in group["rules"])
    rule = next(rule for rule in rules if rule.get("alert") == alert)
    text = yaml.safe_dump({"groups": groups}, width=10_000)
    return LoadedRule(rule["expr"], seconds(str(rule.get("for", "0"))), 1.5 if pace == "demo" else 15.0, text)


def _history(drill: Drill, rule: LoadedRule, *, background: float = 0.0) -> History:
    if drill.traffic is None:
        return History(1.0, 0.0, 0.0)
    return History(background, drill.traffic.rate, 4 * rule.evaluation_seconds)


def _paces(drill: Drill) -> list[str]:
    """The paces at which promtool can run the drill's rule within a check."""
    return [pace for pace in PACES if needed_rules(_loaded(drill, pace)).longest_range <= LONGEST_WINDOW]


at_every_pace = pytest.mark.parametrize(
    ("drill", "pace"),
    [(drill, pace) for drill in OF_ALERTS for pace in _paces(drill)],
    ids=_name,
)


@needs_promtool
@at_every_pace
def test_a_drills_fault_carries_its_rule_and_the_deadlines_leave_room(drill: Drill, pace: str) -> None:
    """The rule fires and clears in time by the fault alone, with bad luck too."""
    rule = _loaded(drill, pace)
    drill = Drill(**{**drill.__dict__, "ideal": tuple(one.alone() for one in drill.ideal)})
    wait, interval = (seconds(pace_duration(text, pace)) for text in ("10s", "5m"))
    timings = Timings(rule.evaluation_seconds, wait, interval)
    found = lower_bound(drill, rule, timings, _history(drill, rule), within=drill.deadlines[pace], phases=1)
    deadlines = drill.deadlines[pace]
    late = found.cleared(late=timings.scrape + rule.evaluation_seconds)
    assert found.usual is not None
    assert late is not None
    assert found.usual < deadlines.fire
    assert late < deadlines.clear


@needs_promtool
@every_drill_of_an_alert
def test_without_the_fault_the_rule_stays_quiet_under_the_drills_traffic(drill: Drill) -> None:
    """The traffic alone fires nothing: the ideal series stay healthy."""
    quiet = Drill(**{**drill.__dict__, "ideal": tuple(one.quiet() for one in drill.ideal)})
    rule = _loaded(drill, "demo")
    timings = Timings(rule.evaluation_seconds, 1.0, 30.0)
    found = lower_bound(
        quiet, rule, timings, _history(drill, rule, background=1.0), within=A_MINUTE, phases=1
    )
    assert (found.crosses, found.fires) == (None, None)


def _can_be_too_lax(drill: Drill) -> bool:
    """Whether the rule's first comparison is with a limit that ten times as much is beyond; not with 0."""
    first = next(iter(comparisons(_loaded(drill, "demo").expression)), None)
    return first is not None and first.operator == ">" and float(first.right) > 0


@needs_promtool
@pytest.mark.parametrize("drill", [one for one in OF_ALERTS if _can_be_too_lax(one)], ids=_name)
def test_a_rule_ten_times_too_lax_fails_its_drill(drill: Drill) -> None:
    """The fault lies below ten times the threshold, so that a drill proves the threshold too."""
    rule = _loaded(drill, "demo")
    first = comparisons(rule.expression)[0]
    lax = f"{float(first.right) * 10:g}"
    groups = yaml.safe_load(rule.rule_file)["groups"]
    for group in groups:
        for one in group["rules"]:
            if one.get("alert") == drill.alert:
                one["expr"] = one["expr"].replace(f"> {first.right}", f"> {lax}", 1)
    changed = LoadedRule(
        rule.expression,
        rule.for_seconds,
        rule.evaluation_seconds,
        yaml.safe_dump({"groups": groups}, width=10_000),
    )
    assert yaml.safe_load(changed.rule_file) != yaml.safe_load(rule.rule_file)
    timings = Timings(rule.evaluation_seconds, 1.0, 30.0)
    found = lower_bound(
        drill,
        changed,
        timings,
        _history(drill, rule, background=1.0),
        within=drill.deadlines["demo"],
        phases=1,
    )
    assert found.crosses is None


@needs_promtool
def test_the_queries_of_drills_are_valid_at_both_paces(tmp_path: Path) -> None:
    """As Prometheus itself reads them; the record that it names is the drill's."""
    rules = [
        {"record": f"{drill.slice}:{drill.alert}:{pace}{number}", "expr": pace_expression(query, pace)}
        for drill in OF_ALERTS
        for number, query in enumerate(
            [drill.signal.query if drill.signal else "1", drill.traffic.arrives if drill.traffic else "1"]
        )
        for pace in PACES
    ]
    file = tmp_path / "queries.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "drills", "rules": rules}]}))
    promtool.check_rules([file])


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Alertmanager's, at demo pace."""
    folder = tmp_path_factory.mktemp("paced")
    materialise(PROJECT, folder, "demo")
    return folder / "alertmanager/alertmanager.yml"


@needs_amtool
@every_drill_of_an_alert
def test_alertmanager_routes_an_alert_to_where_its_drill_looks(drill: Drill, config: Path) -> None:
    """amtool walks the tree with the rule's labels; the drill names each way of the receiver and no other."""
    [receiver] = promtool.receivers(config, {"alertname": drill.alert, **drill.labels})
    entry = next(
        one for one in yaml.safe_load(config.read_text("utf-8"))["receivers"] if one["name"] == receiver
    )
    ways = {key.removesuffix("_configs"): ways for key, ways in entry.items() if key.endswith("_configs")}
    expected = {
        (kind, str(way.get("channel", "")).removeprefix("#")) for kind, found in ways.items() for way in found
    }
    assert {(notice.kind, notice.channel) for notice in drill.notices} == expected
    assert {notice.receiver for notice in drill.notices} == {receiver}


@every_drill
def test_a_drill_disturbs_and_stops_services_that_there_are(drill: Drill) -> None:
    """A service is named as docker-compose.yml does, and what a drill breaks it disturbs."""
    services = set(read_topology(PROJECT / "docker-compose.yml", {}).services)
    assert drill.disturbs <= services | {EVERYTHING}
    assert drill.fault.service in services
    assert drill.disturbs & {drill.fault.service, EVERYTHING}


@every_drill
def test_what_may_fire_besides_is_an_alert(drill: Drill) -> None:
    """A name that no rule has would hide a mistake."""
    assert drill.also_expected <= {one.alert for one in DRILLS} - {drill.alert}


def test_only_heartbeats_and_processes_go_without_traffic() -> None:
    """A fault of a service shows in what arrives there; the background may be off."""
    assert [
        one.name for one in DRILLS if one.traffic is None and not isinstance(one.fault, ProcessFault)
    ] == []
