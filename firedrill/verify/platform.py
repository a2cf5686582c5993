"""The checks of the stack itself: processes, scrape targets, rules, Alertmanager, inbox and Grafana."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from firedrill.clients import Alertmanager, Backend, Prometheus, Refused
from firedrill.errors import TopologyError
from firedrill.grafana.client import NO_HEALTH
from firedrill.verify.check import Check, Missing, Seen
from firedrill.verify.run import UP
from firedrill.verify.seams import RunningStack


@dataclass(frozen=True)
class ExpectedTarget:
    """One entry of config/prometheus/targets/<service>.yml."""

    service: str
    labels: Mapping[str, str]


def expected_targets(root: Path, started: frozenset[str]) -> list[ExpectedTarget]:
    """The targets that the started services' files name; raises TopologyError on a file that is not one."""
    found: list[ExpectedTarget] = []
    for path in sorted((root / "config/prometheus/targets").rglob("*.yml")):
        if path.stem in started:
            found.extend(ExpectedTarget(path.stem, labels) for labels in _target_labels(path))
    return found


def _target_labels(path: Path) -> Iterator[Mapping[str, str]]:
    try:
        for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield {str(key): str(value) for key, value in entry["labels"].items()}
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise TopologyError(f"{path} is not a target file", why, "compare it with its neighbours") from error


def expected_alerts(root: Path, started: frozenset[str]) -> dict[str, str]:
    """The alerts of the started services, and the platform's own, each with the file that holds it."""
    folders = [root / "services" / name for name in sorted(started)]
    folders.append(root / "config/platform")
    files = [folder / name for folder in folders for name in ("alerts.yml", "slo_rules.yml")]
    return {
        rule["alert"]: path.relative_to(root).as_posix()
        for path in files
        if path.is_file()
        for group in (yaml.safe_load(path.read_text(encoding="utf-8")) or {}).get("groups", ())
        for rule in group["rules"]
        if "alert" in rule
    }


def processes(stack: RunningStack) -> Check:
    """Every started service is at work."""

    def attempt() -> Seen | Missing:
        states = stack.state()
        down = sorted(name for name in stack.started if name not in states or states[name].phase not in UP)
        if down:
            return Missing(f"not running: {', '.join(down)}", "firedrill status")
        return Seen(f"{len(stack.started)} services")

    return Check("services run", attempt, tuple(sorted(stack.started)))


def target(expected: ExpectedTarget, prometheus: Prometheus, *, since: float) -> Check:
    """The target is up by a scrape that is newer than `since` (unix seconds)."""
    promql = "up{" + ",".join(f'{key}="{value}"' for key, value in sorted(expected.labels.items())) + "}"
    query = f"firedrill query '{promql}'"

    def attempt() -> Seen | Missing:
        fitting = [one for one in prometheus.targets() if expected.labels.items() <= one.labels.items()]
        if not fitting:
            todo = f"see config/prometheus/targets/{expected.service}.yml and `firedrill logs prometheus`"
            return Missing("Prometheus does not know the target", query, todo)
        for one in fitting:
            if one.health != "up":
                reason = one.error or "not scraped yet"
                return Missing(f"{one.url} is {one.health}: {reason}", query, f"curl -s {one.url}")
            if one.scraped <= since:
                return Missing(
                    f"{one.url} was not scraped since verify began", query, "see the scrape interval"
                )
        return Seen(fitting[0].url)

    return Check(f"target {expected.service}", attempt, (expected.service, "prometheus"))


def rules(expected: Mapping[str, str], prometheus: Prometheus) -> Check:
    """The expected alerts are loaded, and every loaded rule was evaluated without an error."""
    query = f"curl -s {prometheus.url('/api/v1/rules')}"

    def attempt() -> Seen | Missing:
        loaded = [rule for group in prometheus.rules() for rule in group.rules]
        names = {rule.name for rule in loaded}
        absent = [f"{name} ({file})" for name, file in sorted(expected.items()) if name not in names]
        if absent:
            what = f"not loaded: {', '.join(absent)}"
            return Missing(what, query, "see rule_files in config/prometheus/prometheus.yml")
        failing = [f"{rule.name}: {rule.error}" for rule in loaded if rule.health == "err" or rule.error]
        if failing:
            return Missing(
                f"evaluation fails: {'; '.join(failing[:3])}", query, "correct the rule's expression"
            )
        waiting = [rule.name for rule in loaded if rule.health != "ok"]
        if waiting:
            return Missing(f"not evaluated yet: {', '.join(waiting[:5])}", query)
        return Seen(f"{len(loaded)} rules evaluated, {len(expected)} expected alerts among them")

    return Check("alert rules", attempt, ("prometheus",))


def alertmanager(prometheus: Prometheus, manager: Alertmanager) -> Check:
    """Prometheus sends to an Alertmanager, and that one answers."""

    def attempt() -> Seen | Missing:
        connected = prometheus.alertmanagers()
        if not connected:
            query = f"curl -s {prometheus.url('/api/v1/alertmanagers')}"
            todo = "see `alerting` in config/prometheus/prometheus.yml"
            return Missing("Prometheus has no Alertmanager to send to", query, todo)
        return Seen(f"version {manager.version()} at {connected[0]}")

    return Check("alertmanager connected", attempt, ("prometheus", "alertmanager"))


def inbox(backend: Backend) -> Check:
    """The inbox answers that it is ready."""

    def attempt() -> Seen | Missing:
        backend.answers("/health/ready")
        return Seen(backend.base_url)

    return Check("inbox answers", attempt, ("inbox",))


def datasource(uid: str, grafana: Backend) -> Check:
    """Grafana has provisioned the datasource, and reaches it where its plugin can say so."""
    path = f"/api/datasources/uid/{uid}"
    command = f"curl -s -u USER:PASSWORD {grafana.url(path)}"

    def attempt() -> Seen | Missing:
        name = grafana.get(path)["name"]
        try:
            answer = grafana.get(f"{path}/health")
        except Refused as refusal:
            # Some plugins live in the browser only and have no health.
            if refusal.status in NO_HEALTH and NO_HEALTH[refusal.status] in refusal.why:
                return Seen(f"{name} is provisioned")
            raise
        if answer.get("status") == "OK":
            return Seen(f"{name}: {answer.get('message', 'OK')}")
        return Missing(
            f"{name}: {answer.get('message', answer)}", f"{command}/health", "see `firedrill logs grafana`"
        )

    return Check(f"grafana datasource {uid}", attempt, ("grafana", uid))


def datasource_uids(root: Path) -> list[str]:
    """The uids of the provisioned datasources."""
    path = root / "config/grafana/provisioning/datasources/datasources.yml"
    if not path.is_file():
        return []
    return [str(one["uid"]) for one in yaml.safe_load(path.read_text(encoding="utf-8"))["datasources"]]
